# native.mk - what `cc` builds: pawl-zygote, the plugins in C, and the tests' broken plugins. Included by the Makefile.
#
#   zygote      $(OUT)/pawl-zygote               needs libc only
#   inspector   $(OUT)/pawl-inspect              needs libdw, and libffi for the layout of structs
#   c-plugins   $(OUT)/plugins/{csv,mischief}.so  the header and cc alone; and those over libraries of the system
#   fixtures    $(OUT)/fixtures/                  for tests: plugins that must be refused, a zygote with fault points
CONFIG ?= release
OUT ?= .build/$(CONFIG)
# One version, in the place where the command line tool has it.
VERSION_FILE := Sources/Host/Main/Client/ClientVersion.swift
VERSION := $(shell sed -n 's/.*current = "\(.*\)".*/\1/p' $(VERSION_FILE))

NATIVE_WARNINGS := -Wall -Wextra -pedantic -Werror -Wstrict-prototypes -Wshadow -Wvla -Wformat=2
NATIVE_OPTIMISATION_release := -O2 -g
NATIVE_OPTIMISATION_debug := -Og -g
NATIVE_HARDENING := -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
# Frame pointers: crash stacks stay readable where unwind tables are damaged.
NATIVE_CFLAGS := -std=c11 -D_GNU_SOURCE $(NATIVE_WARNINGS) $(NATIVE_OPTIMISATION_$(CONFIG)) $(NATIVE_HARDENING) \
    -fno-omit-frame-pointer -Iinclude -ISources/PluginABI/Wire/include -MMD -MP
NATIVE_LDFLAGS := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id=sha1 -Wl,--as-needed

ZYGOTE_SOURCES := $(wildcard Sources/PluginABI/Zygote/*.c)
INSPECTOR_OBJECTS := $(patsubst Sources/Runtime/Inspector/%.c,$(OUT)/native/inspector/%.o,$(wildcard Sources/Runtime/Inspector/*.c))
# It reads manifests of C functions as the bridge does.
INSPECTOR_FFI_OBJECTS := $(patsubst %,$(OUT)/native/inspector/ffi/%.o,manifest prototype types expression json text base64)
ZYGOTE_OBJECTS := $(patsubst Sources/PluginABI/Zygote/%.c,$(OUT)/native/zygote/%.o,$(ZYGOTE_SOURCES))
ZYGOTE_FAULT_OBJECTS := $(patsubst Sources/PluginABI/Zygote/%.c,$(OUT)/native/zygote-faults/%.o,$(ZYGOTE_SOURCES))
C_PLUGINS := csv mischief
# Plugins over libraries of the system, with what they share in plugins/common. A plugin whose library is not there is left out,
# in words; the others are built. PACKAGES_x: names for pkg-config. SOURCES_x: files besides the plugin's own.
LIBRARY_PLUGINS := http sql shell image media
PACKAGES_http := libcurl
SOURCES_http := plugins/csv/sha256.c
PACKAGES_sql := libpq
PACKAGES_image := libjpeg libpng libwebp libwebpmux libwebpdemux libexif
PACKAGES_media := libavformat libavcodec libavutil libexif
SOURCES_media := plugins/csv/sha256.c
FOUND_PLUGINS := $(foreach plugin,$(LIBRARY_PLUGINS),$(if $(PACKAGES_$(plugin)),$(shell pkg-config --exists $(PACKAGES_$(plugin)) \
    && echo $(plugin)),$(plugin)))
MISSING_PLUGINS := $(filter-out $(FOUND_PLUGINS),$(LIBRARY_PLUGINS))
# The same in C++, over pawl.hpp; of the C files they name, only the objects are shared.
CXX_PLUGINS := data document
SOURCES_data := plugins/csv/reader.c plugins/csv/writer.c plugins/csv/sha256.c
PACKAGES_document := poppler-cpp libxml-2.0
SOURCES_document := plugins/csv/writer.c plugins/csv/sha256.c
FOUND_CXX_PLUGINS := $(foreach plugin,$(CXX_PLUGINS),$(if $(PACKAGES_$(plugin)),$(shell pkg-config --exists $(PACKAGES_$(plugin)) \
    && echo $(plugin)),$(plugin)))
MISSING_PLUGINS += $(filter-out $(FOUND_CXX_PLUGINS),$(CXX_PLUGINS))
FIXTURE_PLUGINS := $(patsubst Tests/Fixtures/plugins/%.c,%,$(wildcard Tests/Fixtures/plugins/*.c)) \
    $(patsubst Tests/Fixtures/plugins/%.cc,%,$(wildcard Tests/Fixtures/plugins/*.cc))

.PHONY: zygote inspector c-plugins fixtures
zygote: $(OUT)/pawl-zygote
inspector: $(OUT)/pawl-inspect
c-plugins: $(C_PLUGINS:%=$(OUT)/plugins/%.so) $(FOUND_PLUGINS:%=$(OUT)/plugins/%.so) $(FOUND_CXX_PLUGINS:%=$(OUT)/plugins/%.so)
	@# What bootstrap has installed since this file was read is built after all.
	@$(foreach plugin,$(MISSING_PLUGINS),if pkg-config --exists $(PACKAGES_$(plugin)); then \
	    $(MAKE) --no-print-directory CONFIG=$(CONFIG) OUT=$(OUT) $(OUT)/plugins/$(plugin).so || exit; \
	    else echo "left out: $(OUT)/plugins/$(plugin).so, pkg-config does not find $(PACKAGES_$(plugin))"; fi;)
fixtures: $(FIXTURE_PLUGINS:%=$(OUT)/fixtures/%.so) $(OUT)/fixtures/pawl-zygote-faults $(OUT)/fixtures/clock_step.so

# SwiftPM keeps its products in a directory of the target's triple, and .build/release is a link to it. Whoever builds first
# makes both, in that very way.
NATIVE_TRIPLE := $(shell uname -m)-unknown-linux-gnu
$(OUT)/native/.made:
	@mkdir -p .build
	@if [ ! -e .build/$(CONFIG) ]; then mkdir -p .build/$(NATIVE_TRIPLE)/$(CONFIG) && ln -sfn $(NATIVE_TRIPLE)/$(CONFIG) .build/$(CONFIG); fi
	@mkdir -p $(OUT)/native/zygote $(OUT)/native/inspector $(OUT)/native/zygote-faults $(OUT)/native/fixtures $(C_PLUGINS:%=$(OUT)/native/%) $(OUT)/plugins $(OUT)/fixtures
	@touch $@

$(OUT)/native/zygote/%.o: Sources/PluginABI/Zygote/%.c mk/native.mk $(VERSION_FILE) | $(OUT)/native/.made
	@echo cc $@
	@$(CC) $(NATIVE_CFLAGS) -fPIE -DPAWL_VERSION='"$(VERSION)"' -c -o $@ $<

$(OUT)/native/zygote-faults/%.o: Sources/PluginABI/Zygote/%.c mk/native.mk $(VERSION_FILE) | $(OUT)/native/.made
	@echo cc $@
	@$(CC) $(NATIVE_CFLAGS) -fPIE -DPAWL_VERSION='"$(VERSION)"' -DPAWL_FAULTS -c -o $@ $<

# Linked beside and renamed over: a running host never sees half a program.
$(OUT)/pawl-zygote: $(ZYGOTE_OBJECTS)
	@echo cc $@
	@$(CC) -pie $(NATIVE_LDFLAGS) -o $@.new $^ -lm && mv -f $@.new $@

$(OUT)/native/inspector/%.o: Sources/Runtime/Inspector/%.c mk/native.mk | $(OUT)/native/.made
	@echo cc $@
	@mkdir -p $(@D)
	@$(CC) $(NATIVE_CFLAGS) -Iplugins/ffi $$(pkg-config --cflags libffi) -fPIE -c -o $@ $<

$(OUT)/native/inspector/ffi/%.o: plugins/ffi/%.c mk/native.mk | $(OUT)/native/.made
	@echo cc $@
	@mkdir -p $(@D)
	@$(CC) $(FFI_CFLAGS) -fPIE -Iinclude $$(pkg-config --cflags libffi) -MMD -MP -c -o $@ $<

$(OUT)/pawl-inspect: $(INSPECTOR_OBJECTS) $(INSPECTOR_FFI_OBJECTS)
	@echo cc $@
	@$(CC) -pie $(NATIVE_LDFLAGS) -o $@.new $^ -ldw -lelf $$(pkg-config --libs libffi) && mv -f $@.new $@

$(OUT)/fixtures/pawl-zygote-faults: $(ZYGOTE_FAULT_OBJECTS)
	@echo cc $@
	@$(CC) -pie $(NATIVE_LDFLAGS) -o $@.new $^ -lm && mv -f $@.new $@

define NATIVE_PLUGIN
$(OUT)/native/$(1)/%.o: plugins/$(1)/%.c mk/native.mk | $(OUT)/native/.made
	@echo cc $$@
	@$$(CC) $$(NATIVE_CFLAGS) -fPIC -fvisibility=hidden -c -o $$@ $$<

$(OUT)/plugins/$(1).so: $$(patsubst plugins/$(1)/%.c,$(OUT)/native/$(1)/%.o,$$(wildcard plugins/$(1)/*.c))
	@echo cc $$@
	@$$(CC) -shared -Wl,-z,defs $$(NATIVE_LDFLAGS) -o $(OUT)/native/$(1)/$(1).so $$^ && mv -f $(OUT)/native/$(1)/$(1).so $$@
endef
$(foreach plugin,$(C_PLUGINS),$(eval $(call NATIVE_PLUGIN,$(plugin))))

define LIBRARY_PLUGIN
LIBRARY_OBJECTS_$(1) := $$(patsubst plugins/%.c,$(OUT)/native/$(1).libs/%.o,$$(wildcard plugins/$(1)/*.c plugins/common/*.c) $$(SOURCES_$(1)))

$(OUT)/native/$(1).libs/%.o: plugins/%.c mk/native.mk | $(OUT)/native/.made
	@echo cc $$@
	@mkdir -p $$(@D)
	@$$(CC) $$(NATIVE_CFLAGS) $$(if $$(PACKAGES_$(1)),$$$$(pkg-config --cflags $$(PACKAGES_$(1)))) -fPIC -fvisibility=hidden -c -o $$@ $$<

$(OUT)/plugins/$(1).so: $$(LIBRARY_OBJECTS_$(1))
	@echo cc $$@
	@$$(CC) -shared -Wl,-z,defs $$(NATIVE_LDFLAGS) -o $(OUT)/native/$(1).libs/$(1).so $$^ \
	    $$(if $$(PACKAGES_$(1)),$$$$(pkg-config --libs $$(PACKAGES_$(1)))) -lm && mv -f $(OUT)/native/$(1).libs/$(1).so $$@

-include $$(LIBRARY_OBJECTS_$(1):.o=.d)
endef
$(foreach plugin,$(FOUND_PLUGINS),$(eval $(call LIBRARY_PLUGIN,$(plugin))))

# Headers of libraries are the system's, and not held to our warnings. The map keeps what is instantiated of the standard library
# inside.
define CXX_PLUGIN
CXX_OBJECTS_$(1) := $$(patsubst plugins/%.cpp,$(OUT)/native/$(1).libs/%.o,$$(wildcard plugins/$(1)/*.cpp)) \
    $$(patsubst plugins/%.c,$(OUT)/native/$(1).libs/%.o,$$(SOURCES_$(1)))

$(OUT)/native/$(1).libs/%.o: plugins/%.cpp mk/native.mk | $(OUT)/native/.made
	@echo cxx $$@
	@mkdir -p $$(@D)
	@$$(CXX) -std=c++17 -Wall -Wextra -pedantic -Werror -Wshadow $$(NATIVE_OPTIMISATION_$$(CONFIG)) $$(NATIVE_HARDENING) \
	    -fno-omit-frame-pointer -Iinclude -MMD -MP \
	    $$(if $$(PACKAGES_$(1)),$$$$(pkg-config --cflags $$(PACKAGES_$(1)) | sed 's/-I/-isystem /g')) -fPIC -fvisibility=hidden -c -o $$@ $$<

$(OUT)/native/$(1).libs/%.o: plugins/%.c mk/native.mk | $(OUT)/native/.made
	@echo cc $$@
	@mkdir -p $$(@D)
	@$$(CC) $$(NATIVE_CFLAGS) -fPIC -fvisibility=hidden -c -o $$@ $$<

$(OUT)/plugins/$(1).so: $$(CXX_OBJECTS_$(1)) share/swift/plugin.map
	@echo cxx $$@
	@$$(CXX) -shared -Wl,-z,defs -Wl,--version-script=share/swift/plugin.map $$(NATIVE_LDFLAGS) \
	    -o $(OUT)/native/$(1).libs/$(1).so $$(CXX_OBJECTS_$(1)) \
	    $$(if $$(PACKAGES_$(1)),$$$$(pkg-config --libs $$(PACKAGES_$(1)))) && mv -f $(OUT)/native/$(1).libs/$(1).so $$@

-include $$(CXX_OBJECTS_$(1):.o=.d)
endef
$(foreach plugin,$(FOUND_CXX_PLUGINS),$(eval $(call CXX_PLUGIN,$(plugin))))

# One file each; built like anybody's plugin.
$(OUT)/fixtures/%.so: Tests/Fixtures/plugins/%.c mk/native.mk | $(OUT)/native/.made
	@echo cc $@
	@$(CC) $(NATIVE_CFLAGS) -MT $@ -MF $(OUT)/native/fixtures/$*.d -fPIC -fvisibility=hidden -shared $(NATIVE_LDFLAGS) -o $@.new $< && mv -f $@.new $@

$(OUT)/fixtures/%.so: Tests/Fixtures/plugins/%.cc mk/native.mk | $(OUT)/native/.made
	@echo cxx $@
	@$(CXX) -std=c++17 -Wall -Wextra -pedantic -Werror $(NATIVE_OPTIMISATION_$(CONFIG)) $(NATIVE_HARDENING) -Iinclude -MMD -MP \
	    -MT $@ -MF $(OUT)/native/fixtures/$*.d -fPIC -fvisibility=hidden -shared $(NATIVE_LDFLAGS) -o $@.new $< && mv -f $@.new $@

# Preloaded into a host whose wall clock a test sets.
$(OUT)/fixtures/clock_step.so: Tests/Fixtures/clock_step.c mk/native.mk | $(OUT)/native/.made
	@echo cc $@
	@$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra -pedantic -Werror -O2 -g -fPIC -shared -o $@.new $< && mv -f $@.new $@

-include $(ZYGOTE_OBJECTS:.o=.d) $(INSPECTOR_OBJECTS:.o=.d) $(INSPECTOR_FFI_OBJECTS:.o=.d) $(ZYGOTE_FAULT_OBJECTS:.o=.d) $(wildcard $(C_PLUGINS:%=$(OUT)/native/%/*.d)) $(wildcard $(OUT)/native/fixtures/*.d)
