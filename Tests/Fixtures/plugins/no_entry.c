/* exports no pawl_plugin_entry */
int no_plugin_at_all;
