/* args.h - extension pawl.args/1: getters for members of the args object. */
#ifndef PAWL_ARGS_H
#define PAWL_ARGS_H

#include "zygote.h"

extern const pawl_ext_args args_table;

#endif
