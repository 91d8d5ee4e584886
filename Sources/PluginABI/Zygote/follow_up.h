/* follow_up.h - extension pawl.follow-up/1: runs that a handler wants once its attempt has succeeded. */
#ifndef PAWL_FOLLOW_UP_H
#define PAWL_FOLLOW_UP_H

#include "zygote.h"

extern const pawl_ext_follow_up follow_up_table;

#endif
