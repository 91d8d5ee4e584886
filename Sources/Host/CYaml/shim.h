#ifndef PAWL_CYAML_SHIM_H
#define PAWL_CYAML_SHIM_H

#include <yaml.h>

// Members of a node lie in a union of anonymous structs; one inline function for each that Swift has to read.

/// Bytes of a scalar; not necessarily ended by zero, as it may hold zeros. Lives as long as its document.
static inline const unsigned char *pawl_yaml_scalar(const yaml_node_t *node, size_t *length) {
    *length = node->data.scalar.length;
    return node->data.scalar.value;
}

/// Whether a scalar was written without quotes, so that it may be a number, a boolean or null.
static inline int pawl_yaml_is_plain(const yaml_node_t *node) { return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE; }

/// How many items a sequence has.
static inline long pawl_yaml_count(const yaml_node_t *node) {
    return node->data.sequence.items.top - node->data.sequence.items.start;
}

/// Number of a sequence's item, for `yaml_document_get_node`.
static inline int pawl_yaml_item(const yaml_node_t *node, long index) { return node->data.sequence.items.start[index]; }

/// How many members a mapping has.
static inline long pawl_yaml_pairs(const yaml_node_t *node) {
    return node->data.mapping.pairs.top - node->data.mapping.pairs.start;
}

/// Number of a member's key.
static inline int pawl_yaml_key(const yaml_node_t *node, long index) { return node->data.mapping.pairs.start[index].key; }

/// Number of a member's value.
static inline int pawl_yaml_value(const yaml_node_t *node, long index) {
    return node->data.mapping.pairs.start[index].value;
}

#endif
