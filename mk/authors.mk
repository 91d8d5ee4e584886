# authors.mk - what authors of plugins need, also outside this repository. Included by the Makefile after the other two.
#
#   sdk          $(OUT)/sdk, laid out as under a prefix: what `pawl new`, `pawl test` and `pawl dev` use from a build tree
#   install-sdk  the same under $(PREFIX): headers, pawl.pc, PluginKit, pawl.rs, templates
SDK := $(OUT)/sdk
TEMPLATES := $(shell find share/templates -type f)

.PHONY: sdk install-sdk
sdk: $(SDK)/.made

$(SDK)/.made: include/pawl.h include/pawl.hpp include/pawl_note.h examples/hello-rust/pawl.rs share/pawl.pc.in share/swift/plugin.map $(TEMPLATES) \
    $(PLUGINKIT)/plugin.rsp $(wildcard Sources/PluginABI/PluginKit*/*.swift) share/swift/Package.swift mk/authors.mk \
    $(VERSION_FILE)
	@echo sdk $(SDK)
	@rm -rf $(SDK)
	@$(MAKE) -s --no-print-directory install-sdk CONFIG=$(CONFIG) OUT=$(OUT) PREFIX=$(abspath $(SDK)) DESTDIR=
	@install -d $(SDK)/bin $(SDK)/lib/pawl/plugins
	@ln -sfn ../../pawl $(SDK)/bin/pawl
	@touch $@

install-sdk: install-pluginkit
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/lib/pawl/rust \
	    $(DESTDIR)$(PREFIX)/share/pawl
	install -m 644 include/pawl.h include/pawl.hpp include/pawl_note.h $(DESTDIR)$(PREFIX)/include
	install -m 644 examples/hello-rust/pawl.rs $(DESTDIR)$(PREFIX)/lib/pawl/rust
	install -m 644 share/swift/plugin.map $(DESTDIR)$(PREFIX)/share/pawl
	sed 's|@PREFIX@|$(PREFIX)|g; s|@VERSION@|$(VERSION)|g' share/pawl.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/pawl.pc
	rm -rf $(DESTDIR)$(PREFIX)/share/pawl/templates
	cd share && find templates -type f -exec install -D -m 644 {} $(abspath $(DESTDIR)$(PREFIX))/share/pawl/{} \;
