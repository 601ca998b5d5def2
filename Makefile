# The one makefile (GNU make). Everything it makes lies under build/; configuration is made where it is missing.
#
#   make              the library, the daemon and its control command, the client, the store and its tool, the tutorial
#                     handler and the load generator
#   make tests        the unit tests and the test handlers too
#   make check        builds and runs all tests
#   make fuzz         runs the fuzz targets of tests/fuzz for FUZZ_SECONDS (60) each; needs clang
#   make coverage     builds under build/coverage, runs unit, system and interop tests, and says which lines they do not reach
#   make install      [PREFIX=/usr/local] [DESTDIR=]; a doipd with the paths of PREFIX is linked for it
#   make uninstall    removes what install put there; configuration and state stay
#   make clean        keeps the configuration and build/run/; `make distclean` keeps nothing
#
#   V=1               shows the commands
#   WERROR=1          warnings are errors
#   SANITIZE=LIST     as of -fsanitize=, for instance address,undefined; builds under build/LIST
#   RUNPATH=no        for packages: libdoip.so will lie where the loader looks anyway
#   B=DIRECTORY       builds there, for instance beside another compiler's: make CC=clang B=build/clang

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests check coverage fuzz install uninstall clean distclean FORCE
all:

comma := ,
B := build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))

# ---------------------------------------------------------------- configuration

ifneq ($(filter-out clean distclean,$(or $(MAKECMDGOALS),all)),)
include build/config.mk
endif

build/configure: configure.ac
	@echo '  AUTOCONF $@'
	@mkdir -p build
	@cd build && autoconf -o configure ../configure.ac

# Once configured, a new configure script is run with the arguments of the last time.
build/config.mk: build/configure
	@echo '  CONFIGURE $@'
	@cd build && if [ -x config.status ]; then ./config.status --recheck --quiet && ./config.status --quiet; \
	    else ./configure --quiet --srcdir=..; fi

# ---------------------------------------------------------------- directories

prefix := $(abspath $(PREFIX))
usr := $(filter /usr,$(prefix))
bindir ?= $(prefix)/bin
sbindir ?= $(prefix)/sbin
libdir ?= $(prefix)/lib
includedir ?= $(prefix)/include
mandir ?= $(prefix)/share/man
sysconfdir ?= $(if $(usr),/etc,$(prefix)/etc)
localstatedir ?= $(if $(usr),/var,$(prefix)/var)
configdir := $(sysconfdir)/doipd
handlersdir ?= $(libdir)/doipd/handlers
statedir := $(localstatedir)/lib/doipd
unitdir ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d

# ---------------------------------------------------------------- flags

fortify := $(if $(SANITIZE)$(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
sanitize := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
counting := $(if $(COVERAGE),--coverage -fprofile-update=atomic)
# No symbol may stay undefined, but for clang's sanitizers, whose are the program's, and test handlers, broken on purpose.
defined := $(if $(SANITIZE),,-Wl,-z,defs)

COMMON = -D_GNU_SOURCE -Wall -Wextra -Wshadow $(if $(filter 1,$(WERROR)),-Werror) $(fortify) \
    -fstack-protector-strong $(sanitize) $(counting) -include build/config.h -Iinclude \
    $(OPENSSL_CFLAGS) $(JANSSON_CFLAGS) $(CPPFLAGS)
COMPILE_C = $(CC) -std=gnu17 $(CFLAGS) -Wstrict-prototypes -Wmissing-prototypes $(COMMON)
COMPILE_CXX = $(CXX) -std=gnu++20 $(or $(CXXFLAGS),$(CFLAGS)) $(COMMON)
LINK = $(sanitize) $(counting) -Wl,-z,relro -Wl,-z,now -Wl,--as-needed -Wl,--enable-new-dtags $(LDFLAGS)

# Libraries are found from where a file lies, so that the same file runs from the build tree and installed under any
# prefix: doipd from build/ and from sbin/, handlers from build/handlers/, build/tests/handlers/ and lib/doipd/handlers/.
runpath = $(if $(filter no,$(RUNPATH)),,-Wl,-rpath,'$(1)')
PROGRAM = $(LINK) -pie $(call runpath,$$ORIGIN:$$ORIGIN/../lib)
HANDLER = $(LINK) -shared $(call runpath,$$ORIGIN/..:$$ORIGIN/../..)

ifeq ($(V),1)
say =
Q :=
else
say = @printf '  %-6s %s\n' $(1) $@
Q := @
endif

# $(call keep,TEXT): gives $@ that text, touching it only when it changes, so what depends on it is made again just then.
keep = @mkdir -p $(@D) && printf '%s\n' $(1) | { cmp -s - $@ || printf '%s\n' $(1) >$@; }
quoted = '$(subst ','\'',$(1))'

# ---------------------------------------------------------------- what there is

objects = $(patsubst %,$(B)/obj/%.o,$(basename $(wildcard $(1))))

libdoip_OBJ := $(call objects,src/libdoip/*.c)
doipd_OBJ := $(call objects,src/doipd/*.c)
flush_OBJ := $(if $(COVERAGE),$(call objects,tests/coverage/*.c))
doip_OBJ := $(call objects,src/doip/*.c)
doipctl_OBJ := $(call objects,src/doipctl/*.c)
placed_OBJ := $(call objects,$(shell grep -lE 'DOIPD_(CONFIG_FILE|(HANDLERS|STATE)_DIRECTORY)' src/doipd/*.c src/doipctl/*.c))
installed_OBJ := $(placed_OBJ:$(B)/%=$(B)/installed/%)
bench_OBJ := $(call objects,bench/*.c)
store_bench_OBJ := $(call objects,bench/store/*.c)
store_OBJ := $(call objects,plugins/store/*.c)
tool_OBJ := $(call objects,plugins/store/tool/*.c)
hello_OBJ := $(call objects,plugins/hello/*.c)
tokens_OBJ := $(call objects,plugins/tokens/*.c)
debug_OBJ := $(call objects,plugins/debug/*.c)
handler_OBJ := $(call objects,tests/handlers/*.c tests/handlers/*.cc)
unit_OBJ := $(call objects,tests/unit/test_*.c)
faults_OBJ := $(call objects,tests/faults/*.c)
fuzz_OBJ := $(call objects,tests/fuzz/*.c)

ABI := 0
LIBRARY := $(B)/libdoip.so
HANDLERS := $(B)/handlers/store.so
EXAMPLES := $(B)/examples/hello.so $(B)/examples/tokens.so
TEST_HANDLERS := $(B)/tests/handlers/debug.so $(handler_OBJ:$(B)/obj/%.o=$(B)/%.so)
FAULTS := $(B)/tests/faults.so
UNIT := $(unit_OBJ:$(B)/obj/%.o=$(B)/%)

all: $(LIBRARY) $(B)/doipd $(B)/doipctl $(B)/doip $(B)/doip-bench $(B)/doip-store $(HANDLERS) $(EXAMPLES)
STORE_BENCH := $(store_bench_OBJ:$(B)/obj/bench/store/%.o=$(B)/store-%)
tests: all $(TEST_HANDLERS) $(FAULTS) $(UNIT) $(STORE_BENCH)

check: tests
	$(Q)DOIPD_BUILD=$(B) $(if $(SANITIZE),DOIPD_TEST_SLOWNESS=4) tests/run

# COVERAGE adds to the build what counts lines.
coverage:
	+$(Q)$(MAKE) --no-print-directory B=$(B)/coverage COVERAGE=1 CFLAGS='-g -O0' tests
	$(Q)tests/coverage/measure $(B)/coverage $(PATTERN)

# ---------------------------------------------------------------- compiling

$(B)/flags: FORCE
	$(call keep,$(call quoted,$(COMPILE_C) | $(COMPILE_CXX) | $(LINK)))

# The places that doipd knows: in the build tree those of PREFIX=/usr, which the manual names; where it is installed, its
# own. Only the files that mention them are compiled again for that, so that `make install` leaves build/doipd alone.
places = -DDOIPD_CONFIG_FILE='"$(1)/doipd.conf"' -DDOIPD_HANDLERS_DIRECTORY='"$(2)"' \
    -DDOIPD_STATE_DIRECTORY='"$(3)/lib/doipd"'
build_places = $(call places,/etc/doipd,/usr/lib/doipd/handlers,/var)
installed_places = $(call places,$(configdir),$(handlersdir),$(localstatedir))

$(B)/installed/places: FORCE
	$(call keep,$(call quoted,$(installed_places)))

$(B)/obj/src/libdoip/%.o $(B)/obj/plugins/%.o $(B)/obj/tests/handlers/%.o: PART = -fPIC -fvisibility=hidden
$(B)/obj/plugins/store/%.o: PART += $(SQLITE_CFLAGS)
$(B)/obj/plugins/store/tool/%.o: PART += -iquote plugins/store
DAEMON = -fPIE $(LIBCONFIG_CFLAGS) $(CRYPT_CFLAGS) $(SYSTEMD_CFLAGS)
$(B)/obj/src/doipd/%.o: PART = $(DAEMON) $(build_places)
$(B)/installed/obj/src/doipd/%.o: PART = $(DAEMON) $(installed_places)
$(B)/obj/src/doip/%.o $(B)/obj/bench/%.o: PART = -fPIE
$(B)/obj/src/doipctl/%.o: PART = -fPIE -iquote src $(build_places)
$(B)/installed/obj/src/doipctl/%.o: PART = -fPIE -iquote src $(installed_places)
$(B)/obj/bench/store/%.o: PART = -fPIE -iquote plugins/store $(SQLITE_CFLAGS)
UNIT_TEST = -fPIE -iquote src $(build_places) $(LIBCONFIG_CFLAGS) $(SQLITE_CFLAGS) $(CHECK_CFLAGS)
$(B)/obj/tests/unit/%.o: PART = $(UNIT_TEST) -iquote src/libdoip -iquote src/doipd
$(B)/obj/tests/unit/test_store%.o: PART = $(UNIT_TEST) -iquote plugins/store
$(B)/obj/tests/unit/test_doip_%.o: PART = $(UNIT_TEST) -iquote src/doip

# It replaces functions of the C library, and is loaded before any sanitizer.
$(B)/obj/tests/faults/%.o: PART = -fPIC -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 -fno-sanitize=all
$(B)/obj/tests/faults/%.o: private counting =
$(B)/obj/tests/coverage/%.o: PART = -fPIE

define compile_c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(COMPILE_C) $(PART) -MMD -MP -c -o $@ $<
endef
$(B)/obj/%.o: %.c $(B)/flags
	$(compile_c)
$(B)/installed/obj/%.o: %.c $(B)/flags $(B)/installed/places
	$(compile_c)

$(B)/obj/%.o: %.cc $(B)/flags
	$(call say,CXX)
	@mkdir -p $(@D)
	$(Q)$(COMPILE_CXX) $(PART) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(libdoip_OBJ) $(doipd_OBJ) $(doip_OBJ) $(doipctl_OBJ) $(bench_OBJ) $(store_bench_OBJ) $(store_OBJ) $(tool_OBJ) \
    $(hello_OBJ) $(tokens_OBJ) $(debug_OBJ) $(handler_OBJ) $(faults_OBJ) $(unit_OBJ) $(fuzz_OBJ) $(installed_OBJ))

# ---------------------------------------------------------------- linking

# What is linked appears under its name by a rename: programs that run, and tests beside this make, never see half of it, and
# what they have mapped is not written over. `ln -sf` renames too.
rename = mv -f $@.new $@

$(LIBRARY).$(VERSION): $(libdoip_OBJ)
	$(call say,LD)
	$(Q)$(CC) $(LINK) $(defined) -shared -Wl,-soname,libdoip.so.$(ABI) -o $@.new $^ \
	    $(OPENSSL_LIBS) $(JANSSON_LIBS) -lm && $(rename)

# Found as libdoip.so by the linker and as libdoip.so.0 by the loader.
$(LIBRARY): $(LIBRARY).$(VERSION)
	@ln -sf $(<F) $@.$(ABI)
	@ln -sf $(<F) $@

$(B)/doipd: $(doipd_OBJ) $(flush_OBJ) $(LIBRARY)
$(B)/installed/doipd: $(filter-out $(placed_OBJ),$(doipd_OBJ)) $(filter-out %/src/doipctl/main.o,$(installed_OBJ)) $(LIBRARY)
$(B)/doipd $(B)/installed/doipd:
	$(call say,LD)
	$(Q)$(CC) $(PROGRAM) -o $@.new $^ $(LIBCONFIG_LIBS) $(CRYPT_LIBS) $(SYSTEMD_LIBS) $(OPENSSL_LIBS) $(JANSSON_LIBS) \
	    -ldl -lpthread \
	    && $(rename)

# It reads the configuration as doipd does, and is as careful of the terminal as doip.
control_LINKS := $(B)/obj/src/doip/terminal.o $(B)/doipd.a $(LIBRARY)
$(B)/doipctl: $(doipctl_OBJ) $(control_LINKS)
$(B)/installed/doipctl: $(filter-out $(placed_OBJ),$(doipctl_OBJ)) $(filter-out %/src/doipd/main.o,$(installed_OBJ)) $(control_LINKS)
$(B)/doipctl $(B)/installed/doipctl:
	$(call say,LD)
	$(Q)$(CC) $(PROGRAM) -o $@.new $^ $(LIBCONFIG_LIBS) $(CRYPT_LIBS) $(SYSTEMD_LIBS) $(OPENSSL_LIBS) $(JANSSON_LIBS) -ldl \
	    -lpthread \
	    && $(rename)

$(B)/doip: $(doip_OBJ) $(LIBRARY)
$(B)/doip-bench: $(bench_OBJ) $(LIBRARY)
$(B)/doip $(B)/doip-bench:
	$(call say,LD)
	$(Q)$(CC) $(PROGRAM) -o $@.new $^ $(OPENSSL_LIBS) $(JANSSON_LIBS) -lpthread -lm && $(rename)

# Of the store, it takes what stands behind repository.h.
$(B)/doip-store: $(tool_OBJ) $(B)/store.a $(LIBRARY)
	$(call say,LD)
	$(Q)$(CC) $(PROGRAM) -o $@.new $^ $(SQLITE_LIBS) $(OPENSSL_LIBS) $(JANSSON_LIBS) -lpthread && $(rename)

# What unit tests link: the same objects, without the programs' main().
$(B)/libdoip.a: $(libdoip_OBJ)
$(B)/doipd.a: $(filter-out %/main.o,$(doipd_OBJ))
$(B)/doip.a: $(filter-out %/main.o,$(doip_OBJ))
$(B)/store.a: $(store_OBJ)
$(B)/%.a:
	$(call say,AR)
	@rm -f $@.new
	$(Q)$(AR) rcs $@.new $^ && $(rename)

$(B)/handlers/store.so: $(store_OBJ)
$(B)/examples/hello.so: $(hello_OBJ)
$(B)/examples/tokens.so: $(tokens_OBJ)
$(B)/tests/handlers/debug.so: $(debug_OBJ)
$(handler_OBJ:$(B)/obj/%.o=$(B)/%.so): $(B)/%.so: $(B)/obj/%.o
$(HANDLERS) $(EXAMPLES) $(TEST_HANDLERS): $(LIBRARY)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(if $(wildcard tests/handlers/$(basename $(@F)).cc),$(CXX),$(CC)) $(HANDLER) \
	    $(if $(filter $(handler_OBJ),$^),,$(defined)) -o $@.new $(filter %.o,$^) $(LIBRARY) \
	    $(SQLITE_LIBS) $(OPENSSL_LIBS) $(JANSSON_LIBS) -lpthread && $(rename)

# What bench/store measures with.
$(STORE_BENCH): $(B)/store-%: $(B)/obj/bench/store/%.o $(B)/store.a $(LIBRARY)
	$(call say,LD)
	$(Q)$(CC) $(PROGRAM) -o $@.new $^ $(SQLITE_LIBS) $(OPENSSL_LIBS) $(JANSSON_LIBS) -lpthread && $(rename)

$(FAULTS): $(faults_OBJ)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -o $@.new $^ -ldl -lpthread && $(rename)

# test_store* test the store and test_doip_* the client, over the library as it is; all others test what is inside the
# library and the daemon.
store_UNIT := $(filter $(B)/tests/unit/test_store%,$(UNIT))
doip_UNIT := $(filter $(B)/tests/unit/test_doip_%,$(UNIT))
# What the client signs, the daemon has to take.
$(B)/tests/unit/test_doip_signer: $(B)/doipd.a
$(store_UNIT): $(B)/store.a $(LIBRARY)
$(doip_UNIT): $(B)/doip.a $(LIBRARY)
$(filter-out $(store_UNIT) $(doip_UNIT),$(UNIT)): $(B)/doipd.a $(B)/libdoip.a
# Time and waiting are these tests' own (unit_worker.h).
$(B)/tests/unit/test_conversation $(B)/tests/unit/test_conversation_later $(B)/fuzz_conversation: private WRAPPED = -Wl,--wrap=clock_gettime,--wrap=poll
$(UNIT): $(B)/%: $(B)/obj/%.o
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) $(WRAPPED) -pie -Wl,-rpath,'$$ORIGIN/../..' -o $@.new $< \
	    $(filter-out $< %.h,$^) $(CHECK_LIBS) $(LIBCONFIG_LIBS) $(CRYPT_LIBS) $(SYSTEMD_LIBS) $(SQLITE_LIBS) \
	    $(OPENSSL_LIBS) $(JANSSON_LIBS) -ldl -lpthread -lm && $(rename)

# ---------------------------------------------------------------- fuzzing

# A target is tests/fuzz/NAME.c over the objects of library, daemon or store, its words in NAME.dict, its seeds in corpus/NAME. tests/fuzz/run makes
# them, in a build of their own with clang's instrumentation, and runs them.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))

$(B)/obj/tests/fuzz/%.o: PART = -iquote src/doipd -iquote src/libdoip -iquote plugins/store $(build_places) $(LIBCONFIG_CFLAGS)
$(B)/fuzz_query: $(B)/store.a
$(filter-out %/fuzz_query,$(FUZZERS)): $(B)/doipd.a
$(FUZZERS): $(B)/%: $(B)/obj/tests/fuzz/%.o $(B)/libdoip.a
	$(call say,LD)
	$(Q)$(CC) -fsanitize=fuzzer $(sanitize) $(CFLAGS) $(WRAPPED) -o $@.new $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBCONFIG_LIBS) \
	    $(CRYPT_LIBS) $(SYSTEMD_LIBS) $(SQLITE_LIBS) $(OPENSSL_LIBS) $(JANSSON_LIBS) -ldl -lpthread -lm && $(rename)

fuzz:
	$(Q)tests/fuzz/run -s $(FUZZ_SECONDS)

# ---------------------------------------------------------------- installing

# $(call put,MODE,FILE,PLACE): written beside, then renamed, so that an upgrade disturbs nothing that runs.
put = install -m $(1) $(2) '$(3).new' && mv -f '$(3).new' '$(3)'
# Files of the tree name the paths that PREFIX=/usr gives; installed ones name the paths of this installation.
place = sed -e 's,/etc/doipd,$(configdir),g' -e 's,/usr/lib/doipd/handlers,$(handlersdir),g' \
    -e 's,/var/lib/doipd,$(statedir),g' $(if $(filter /var/lib/doipd,$(statedir)),,-e 's,^StateDirectory=.*,ReadWritePaths=$(statedir),') \
    -e 's,/usr/sbin/doipd,$(sbindir)/doipd,g' $(1) | $(call put,644,/dev/stdin,$(2))
D = $(DESTDIR)
pages := $(wildcard man/*.[1-9])
page = $(mandir)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))
headers := $(wildcard include/doip/*.h)
# The state directory is not made here: the daemon makes it at its first start, for the user that its workers run as.
directories = $(bindir) $(sbindir) $(libdir)/pkgconfig $(includedir)/doip $(handlersdir) $(configdir)/conf.d \
    $(dir $(statedir)) $(unitdir) $(sysusersdir) $(tmpfilesdir) $(sort $(dir $(foreach file,$(pages),$(call page,$(file)))))
installed = $(addprefix $(libdir)/,libdoip.so libdoip.so.$(ABI) libdoip.so.$(VERSION) pkgconfig/doip.pc) \
    $(addprefix $(bindir)/,doip doip-bench doip-store) $(sbindir)/doipd $(sbindir)/doipctl $(addprefix $(handlersdir)/,$(notdir $(HANDLERS))) \
    $(addprefix $(includedir)/doip/,$(notdir $(headers))) $(unitdir)/doipd.service $(unitdir)/doipd.socket $(sysusersdir)/doipd.conf $(tmpfilesdir)/doipd.conf \
    $(foreach file,$(pages),$(call page,$(file)))

define newline


endef
each = $(foreach file,$(1),$(Q)$(call $(2),$(file))$(newline)	)
put_handler = $(call put,755,$(1),$(D)$(handlersdir)/$(notdir $(1)))
put_header = $(call put,644,$(1),$(D)$(includedir)/doip/$(notdir $(1)))
place_page = $(call place,$(1),$(D)$(page))

install: all $(B)/installed/doipd $(B)/installed/doipctl
	@echo '  INSTALL $(D)$(prefix)'
	$(Q)install -d $(foreach dir,$(directories),'$(D)$(dir)')
	$(Q)$(call put,755,$(LIBRARY).$(VERSION),$(D)$(libdir)/libdoip.so.$(VERSION))
	$(Q)ln -sf libdoip.so.$(VERSION) '$(D)$(libdir)/libdoip.so.$(ABI)'
	$(Q)ln -sf libdoip.so.$(VERSION) '$(D)$(libdir)/libdoip.so'
	$(Q)$(call put,755,$(B)/doip,$(D)$(bindir)/doip)
	$(Q)$(call put,755,$(B)/doip-bench,$(D)$(bindir)/doip-bench)
	$(Q)$(call put,755,$(B)/doip-store,$(D)$(bindir)/doip-store)
	$(Q)$(call put,755,$(B)/installed/doipd,$(D)$(sbindir)/doipd)
	$(Q)$(call put,755,$(B)/installed/doipctl,$(D)$(sbindir)/doipctl)
	$(call each,$(HANDLERS),put_handler)
	$(call each,$(headers),put_header)
	$(Q)sed -e 's,@prefix@,$(prefix),' -e 's,@libdir@,$(libdir),' -e 's,@includedir@,$(includedir),' \
	    -e 's,@handlersdir@,$(handlersdir),' -e 's,@version@,$(VERSION),' \
	    src/libdoip/doip.pc.in | $(call put,644,/dev/stdin,$(D)$(libdir)/pkgconfig/doip.pc)
	$(call each,$(pages),place_page)
	$(Q)$(call place,systemd/doipd.service,$(D)$(unitdir)/doipd.service)
	$(Q)$(call place,systemd/doipd.socket,$(D)$(unitdir)/doipd.socket)
	$(Q)$(call place,systemd/doipd.tmpfiles,$(D)$(tmpfilesdir)/doipd.conf)
	$(Q)$(call place,systemd/doipd.sysusers,$(D)$(sysusersdir)/doipd.conf)
	$(Q)if [ -e '$(D)$(configdir)/doipd.conf' ]; then echo '  KEPT   $(D)$(configdir)/doipd.conf'; \
	    else $(call place,etc/doipd.conf,$(D)$(configdir)/doipd.conf); fi
	$(Q)[ -n '$(D)' ] || [ "$$(id -u)" != 0 ] || ldconfig

uninstall:
	@echo '  REMOVE $(D)$(prefix)'
	$(Q)rm -f $(foreach file,$(installed),'$(D)$(file)')
	$(Q)for d in $(handlersdir) $(patsubst %/,%,$(dir $(handlersdir))) $(includedir)/doip $(configdir)/conf.d; do \
	    [ ! -d '$(D)'"$$d" ] || rmdir --ignore-fail-on-non-empty '$(D)'"$$d"; done
	$(Q)[ -n '$(D)' ] || [ "$$(id -u)" != 0 ] || ldconfig

# ---------------------------------------------------------------- cleaning

clean:
	$(Q)[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name 'config*' ! -name autom4te.cache ! -name run \
	    -exec rm -rf {} +

distclean:
	$(Q)rm -rf build
