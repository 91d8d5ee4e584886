#ifndef PAWL_CCURL_SHIM_H
#define PAWL_CCURL_SHIM_H

#include <curl/curl.h>

// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call. One inline wrapper for each type of
// argument, named after it. All return CURLE_OK or the reason for a refusal; none takes ownership: libcurl copies
// strings, and everything else must outlive the transfer.

/// Sets an option whose value is a `long` (switches, numbers, bit masks, milliseconds).
static inline CURLcode pawl_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

/// Sets an option whose value is a string; libcurl keeps a copy (except for CURLOPT_POSTFIELDS, which it reads in place).
static inline CURLcode pawl_curl_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

/// Sets an option whose value is any pointer: CURLOPT_WRITEDATA and its like, CURLOPT_ERRORBUFFER.
static inline CURLcode pawl_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

/// Sets a list of header lines; the list must live until the transfer has ended.
static inline CURLcode pawl_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}

/// Sets a large number: CURLOPT_POSTFIELDSIZE_LARGE.
static inline CURLcode pawl_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

/// Called with a piece of the body or one header line. Returning less than `count` aborts the transfer.
typedef size_t (*pawl_curl_data_callback)(char *bytes, size_t size, size_t count, void *user);

/// Sets a callback for data: CURLOPT_WRITEFUNCTION, CURLOPT_HEADERFUNCTION.
static inline CURLcode pawl_curl_set_data_callback(CURL *handle, CURLoption option, pawl_curl_data_callback callback) {
    return curl_easy_setopt(handle, option, callback);
}

/// Called about once a second and on each arrival. Returning non-zero aborts the transfer.
typedef int (*pawl_curl_progress_callback)(
    void *user, curl_off_t download_total, curl_off_t downloaded, curl_off_t upload_total, curl_off_t uploaded);

/// Sets CURLOPT_XFERINFOFUNCTION.
static inline CURLcode pawl_curl_set_progress_callback(CURL *handle, pawl_curl_progress_callback callback) {
    return curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, callback);
}

/// Reads a `long`: CURLINFO_RESPONSE_CODE.
static inline CURLcode pawl_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

#endif
