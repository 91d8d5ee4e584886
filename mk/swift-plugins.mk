# swift-plugins.mk - plugins in Swift, the kit that authors build theirs with, and typed C calls (libffi).
#
#   swift-plugins  $(OUT)/plugins/{text-stats,bulk,train}.so
#   pluginkit      $(OUT)/pluginkit: the module, its object, and plugin.rsp, the flags of every Swift plugin
#   ffi            $(OUT)/pawl-ffi.so and $(OUT)/plugins/{zlib,libm,libc,sqlite}.pawl.json
#   install-pluginkit  the kit under $(PREFIX)/lib/pawl/swift
#   test-plugins   text-stats, pawl-ffi and a Swift plugin of many ways, in real zygotes
#
# After mk/native.mk, whose $(OUT)/native/.made makes the output directories. An author's whole command is
# `swiftc @/usr/local/lib/pawl/swift/plugin.rsp -o hello.so hello.swift`.

SWIFTC ?= swiftc
FFI_CFLAGS := -std=c11 -D_GNU_SOURCE -Wall -Wextra -pedantic -Werror -O2 -g -fno-omit-frame-pointer \
    -fPIC -fvisibility=hidden

PLUGINKIT := $(OUT)/pluginkit
PLUGINKIT_SOURCES := $(wildcard Sources/PluginABI/PluginKit/*.swift)
PLUGINKIT_FILES := $(PLUGINKIT)/PluginKit.o $(PLUGINKIT)/PluginKit.swiftmodule $(PLUGINKIT)/pawl.h \
    $(PLUGINKIT)/module.modulemap $(PLUGINKIT)/plugin.map
FFI_SOURCES := $(wildcard plugins/ffi/*.c)

.PHONY: pluginkit swift-plugins ffi fixtures install-pluginkit test-plugins

pluginkit: $(PLUGINKIT)/plugin.rsp

SWIFT_PLUGINS := text-stats bulk train
swift-plugins: $(SWIFT_PLUGINS:%=$(OUT)/plugins/%.so)

ffi: $(OUT)/pawl-ffi.so $(patsubst plugins/ffi/%,$(OUT)/plugins/%,$(wildcard plugins/ffi/*.pawl.json))

$(PLUGINKIT)/pawl.h: include/pawl.h | $(OUT)/native/.made
	@mkdir -p $(@D)
	cp $< $@

$(PLUGINKIT)/module.modulemap $(PLUGINKIT)/plugin.map: $(PLUGINKIT)/%: share/swift/% | $(OUT)/native/.made
	@mkdir -p $(@D)
	cp $< $@

# One object of the whole module, whatever CONFIG is: a plugin is always optimised, and keeps its debug information.
$(PLUGINKIT)/PluginKit.o: $(PLUGINKIT_SOURCES) $(PLUGINKIT)/pawl.h $(PLUGINKIT)/module.modulemap
	$(SWIFTC) -swift-version 6 -O -g -wmo -static -parse-as-library -warnings-as-errors -module-name PluginKit -package-name pawl \
	    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility \
	    -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature NonisolatedNonsendingByDefault \
	    -file-prefix-map "$(CURDIR)=." -I $(PLUGINKIT) -emit-module -emit-module-path $(PLUGINKIT)/PluginKit.swiftmodule \
	    -c -o $@ $(PLUGINKIT_SOURCES)

$(PLUGINKIT)/PluginKit.swiftmodule: $(PLUGINKIT)/PluginKit.o ;

$(PLUGINKIT)/plugin.rsp: share/swift/plugin.rsp.in $(PLUGINKIT_FILES)
	sed 's|@KIT@|$(abspath $(PLUGINKIT))|g' $< > $@

# A library is built beside its place and renamed into it: a host that watches the directory sees only whole ones.
define SWIFT_PLUGIN
$(OUT)/plugins/$(1).so: $(wildcard plugins/$(1)/*.swift) $(PLUGINKIT)/plugin.rsp
	@mkdir -p $$(@D)
	$$(SWIFTC) @$$(PLUGINKIT)/plugin.rsp -warnings-as-errors -o $$(PLUGINKIT)/$(1).so $$(wildcard plugins/$(1)/*.swift)
	scripts/check-plugin-symbols $$(PLUGINKIT)/$(1).so
	mv $$(PLUGINKIT)/$(1).so $$@
endef
$(foreach plugin,$(SWIFT_PLUGINS),$(eval $(call SWIFT_PLUGIN,$(plugin))))

$(OUT)/pawl-ffi.so: $(FFI_SOURCES) $(wildcard plugins/ffi/*.h) include/pawl.h | $(OUT)/native/.made
	@mkdir -p $(@D)
	$(CC) $(FFI_CFLAGS) -shared -Wl,-z,defs,-z,relro,-z,now,--build-id=sha1 -I include -o $@.part $(FFI_SOURCES) \
	    $$(pkg-config --cflags --libs libffi)
	scripts/check-plugin-symbols $@.part
	mv $@.part $@

# A library whose functions have every type that a manifest can name, for the tests.
$(OUT)/fixtures/libffi-types.so: plugins/ffi/fixtures/types.c | $(OUT)/native/.made
	@mkdir -p $(@D)
	$(CC) $(filter-out -fvisibility=hidden,$(FFI_CFLAGS)) -shared -o $@ $<

$(OUT)/fixtures/swift-ways.so: Tests/plugins/ways.swift $(PLUGINKIT)/plugin.rsp
	@mkdir -p $(@D)
	$(SWIFTC) @$(PLUGINKIT)/plugin.rsp -o $@ $<

# With the toolchain's shared runtime instead of its own: what an author's plugin is that was built without the kit's flags.
$(OUT)/fixtures/swift-dynamic.so: Tests/plugins/dynamic.swift $(PLUGINKIT)/plugin.rsp
	@mkdir -p $(@D)
	$(SWIFTC) -swift-version 6 -O -gline-tables-only -wmo -parse-as-library -module-name PawlPlugin -I $(PLUGINKIT) \
	    $(PLUGINKIT)/PluginKit.o -emit-library -use-ld=lld -Xlinker --version-script=$(PLUGINKIT)/plugin.map -o $@ $<

# Every part of pawl.hpp.
$(OUT)/fixtures/cpp-ways.so: Tests/plugins/ways.cpp include/pawl.hpp include/pawl.h share/swift/plugin.map
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -Wall -Wextra -pedantic -Werror -O2 -g -shared -fPIC -fvisibility=hidden -I include \
	    -Wl,--version-script=share/swift/plugin.map -Wl,-z,defs -o $@ $<

# Every part of the Rust bindings, with rustc alone. Without it the tests say so.
RUSTC ?= rustc
.PHONY: rust-fixture
rust-fixture:
	@if command -v $(RUSTC) >/dev/null; then $(MAKE) -s OUT=$(OUT) $(OUT)/fixtures/rust-ways.so; \
	else echo "skipped: $(OUT)/fixtures/rust-ways.so, there is no rustc here"; fi

$(OUT)/fixtures/rust-ways.so: Tests/plugins/ways.rs examples/hello-rust/pawl.rs
	@mkdir -p $(@D)
	$(RUSTC) --edition 2021 --crate-type cdylib --crate-name ways -C opt-level=2 -g -D warnings -o $@ $<

fixtures: $(OUT)/fixtures/libffi-types.so $(OUT)/fixtures/swift-ways.so $(OUT)/fixtures/swift-dynamic.so \
    $(OUT)/fixtures/cpp-ways.so rust-fixture

# The plugins in real zygotes and children.
test-plugins: zygote inspector plugins fixtures
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) python3 Tests/plugins/test_plugins.py
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) python3 Tests/plugins/test_ffi.py
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) python3 Tests/plugins/test_declarations.py
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) python3 Tests/plugins/test_cpp.py
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) python3 Tests/plugins/test_rust.py
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) python3 Tests/plugins/test_useful.py
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) python3 Tests/plugins/test_jobs.py
	PAWL_TEST_BIN=$(CURDIR)/$(OUT) python3 Tests/plugins/test_media.py

# Manifests had another ending first: a directory with both would have two files for one plugin.
$(OUT)/plugins/%.pawl.json: plugins/ffi/%.pawl.json | $(OUT)/native/.made
	@mkdir -p $(@D)
	rm -f $(@D)/$*.ffi.json
	cp $< $(@D)/.$*.part
	mv $(@D)/.$*.part $@

# Beside the module its sources as a package, for `swift test` of handlers.
install-pluginkit: pluginkit
	install -d $(DESTDIR)$(PREFIX)/lib/pawl/swift
	install -m 644 $(PLUGINKIT_FILES) $(DESTDIR)$(PREFIX)/lib/pawl/swift
	sed 's|@KIT@|$(PREFIX)/lib/pawl/swift|g' share/swift/plugin.rsp.in \
	    > $(DESTDIR)$(PREFIX)/lib/pawl/swift/plugin.rsp
	rm -rf $(DESTDIR)$(PREFIX)/lib/pawl/swift/PluginKit
	for module in PluginKit PluginKitTesting PluginKitLogging; do \
	    install -d $(DESTDIR)$(PREFIX)/lib/pawl/swift/PluginKit/Sources/$$module && \
	    install -m 644 Sources/PluginABI/$$module/*.swift \
	        $(DESTDIR)$(PREFIX)/lib/pawl/swift/PluginKit/Sources/$$module || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/lib/pawl/swift/PluginKit/Sources/PluginABI
	install -m 644 include/pawl.h share/swift/module.modulemap \
	    $(DESTDIR)$(PREFIX)/lib/pawl/swift/PluginKit/Sources/PluginABI
	install -m 644 share/swift/Package.swift $(DESTDIR)$(PREFIX)/lib/pawl/swift/PluginKit
