# SPDX-License-Identifier: GPL-2.0-only
# kpatch-shadow. The two targets for newcomers: "make demo" and "make check".

VERSION := 0.1.0

PREFIX	?= /usr/local
DESTDIR	?=
BINDIR	:= $(PREFIX)/bin
LIBEXECDIR := $(PREFIX)/libexec/kpatch
DATADIR	:= $(PREFIX)/share/kpatch
MANDIR	:= $(PREFIX)/share/man
COMPDIR	:= $(PREFIX)/share/bash-completion/completions

CC	?= gcc
CFLAGS	?= -O2 -g
WARN	:= -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wno-unused-parameter
KCFLAGS	:= -std=gnu11 -D_GNU_SOURCE -DKPATCH_VERSION='"$(VERSION)"' -Ilib $(WARN)
LIBS	:= -lelf -ldw -lZydis -llz4 -lzstd -llzma -lz -lbpf
LIBS_create-diff-object := -lcapstone
LIBS_kpatch-report := -ljson-c

# Each program is a directory: all its *.c files, linked with lib/.
PROGRAMS := create-diff-object create-klp-module kpatch-image compare-units kpatch-report
LIB	:= lib/libkpatch.a
OBJS	= $(patsubst %.c,%.o,$(wildcard $(1)/*.c))

.PHONY: all
all: $(foreach p,$(PROGRAMS),$(p)/$(p))

define program_rule
$(1)/$(1): $$(call OBJS,$(1)) $$(LIB)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS) $$(LIBS_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(LIB): $(call OBJS,lib)
	rm -f $@
	$(AR) rcs $@ $^

%.o: %.c Makefile
	$(CC) $(KCFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(wildcard */*.d)

.PHONY: clean
clean:
	rm -f */*.o */*.d $(LIB) $(foreach p,$(PROGRAMS),$(p)/$(p))

# ---- for newcomers: both install what they need ----

.PHONY: demo
demo:
	@test/demo

.PHONY: check
check:
	@test/deps build kernel test lint archive
	@$(MAKE) --no-print-directory all lint
	@test/run test/unit test/integration

# ---- parts of it, and longer runs ----

.PHONY: check-unit check-integration bench corpus mutants soak
check-unit: all
	@test/run test/unit

check-integration: all
	@test/run test/integration

# The page of --html in a browser, which is installed for it.
.PHONY: check-page
check-page: all
	@test/deps page
	@bats test/page/page.bats

# A kernel of one's own, built for it, and signatures: ten minutes, and ten more when that kernel is built.
.PHONY: check-own
check-own: all
	@test/deps kernel test archive
	@bats -T test/own/own.bats

# The kernel's own tests of livepatches, beside one of ours: ten minutes.
.PHONY: check-selftests
check-selftests: all
	@test/deps build kernel test archive
	@bats -T test/selftests/selftests.bats

# Debian's kernels of other flavours: half an hour or more for each.
.PHONY: check-flavours
check-flavours: all
	@test/deps kernel test archive
	@test/flavours $(FLAVOURS)

# The same on Debian 13, in a chroot that debootstrap makes: as root, three quarters of an hour.
.PHONY: check-trixie
check-trixie:
	@test/trixie/check

# Breaks the shadow core in every way that matters and sees that the tests notice: half an hour or more.
mutants: all
	@test/mutants

# Shadow variables for hours, on three kernels, one of which is built for it; the head of test/soak says how much.
# And builds that are killed at each command: a quarter of an hour.
soak: all
	@test/soak
	@KPATCH_EACH=1 bats -T -f 'each command' test/unit/driver-disturbed.bats

bench: all
	@test/bench/run

# Real fixes: what one version of the source changed in another one that the archive still has, too. An hour or more.
corpus: all
	@test/corpus/run -b -n 220 -H 30 -t doc/corpus.md $(or $(NEW),6.1.187-1) $(or $(OLD),6.1.0-50-cloud-amd64)

# ---- fuzzing: needs clang and libclang-rt-dev, unlike the short run of "make check" ----

FUZZ_SECONDS ?= 3600

.PHONY: fuzz
fuzz: all
	@test/fuzz/run $(FUZZ_SECONDS)

# ---- lint ----

SHELL_FILES = $(shell grep -lrE '^#!/bin/(ba)?sh|^\# shellcheck shell=' kpatch-build kmod test .ci \
		completion --include='*' 2>/dev/null | sort)

# Variables of tests go to and come from functions of bats and of the fixtures.
BATS_SUPPRESS := SC2034,SC2154,SC2119,SC2120,SC2030,SC2031

# It does not see through uthash's loops and designated initialisers; the compiler warns about
# uninitialised variables without such mistakes.
CPPCHECK_SUPPRESS := $(addprefix --suppress=,missingInclude missingIncludeSystem unknownMacro \
	uninitvar legacyUninitvar uninitStructMember)

.PHONY: lint
lint:
	shellcheck -x $(SHELL_FILES)
	shellcheck -x -S warning -e $(BATS_SUPPRESS) test/unit/*.bats test/integration/*.bats test/page/*.bats test/own/*.bats test/selftests/*.bats test/trixie/*.bats
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability \
		$(CPPCHECK_SUPPRESS) -Ilib lib $(PROGRAMS)

# ---- installation ----

INSTALL	?= install
MANPAGES = $(wildcard man/*.1)
MANPAGES7 = $(wildcard man/*.7)
COMPLETIONS = $(wildcard completion/*)

# The programs are called by the driver and live beside its stages; those that people call too get a
# link in BINDIR, so that there is one copy of each.
.PHONY: install
install: all
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(DATADIR)/kmod/core' \
		'$(DESTDIR)$(DATADIR)/include' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man7' '$(DESTDIR)$(COMPDIR)'
	$(INSTALL) -m 755 $(foreach p,$(PROGRAMS),$(p)/$(p)) '$(DESTDIR)$(LIBEXECDIR)'
	$(INSTALL) -m 644 kpatch-build/*.sh kpatch-build/*.awk '$(DESTDIR)$(LIBEXECDIR)'
	sed -e "s|^VERSION='@VERSION@'|VERSION='$(VERSION)'|" \
		-e "s|^LIBEXECDIR='@LIBEXECDIR@'|LIBEXECDIR='$(LIBEXECDIR)'|" \
		-e "s|^DATADIR='@DATADIR@'|DATADIR='$(DATADIR)'|" \
		kpatch-build/kpatch-build > '$(DESTDIR)$(BINDIR)/kpatch-build'
	chmod 755 '$(DESTDIR)$(BINDIR)/kpatch-build'
	for p in $(PROGRAMS); do ln -sf '$(LIBEXECDIR)'/$$p '$(DESTDIR)$(BINDIR)'/$$p; done
	$(INSTALL) -m 644 kmod/*.in '$(DESTDIR)$(DATADIR)/kmod'
	$(INSTALL) -m 644 kmod/core/* '$(DESTDIR)$(DATADIR)/kmod/core'
	$(INSTALL) -m 644 doc/report.schema.json '$(DESTDIR)$(DATADIR)'
	$(INSTALL) -m 644 include/*.h '$(DESTDIR)$(DATADIR)/include'
	$(INSTALL) -m 644 $(MANPAGES) '$(DESTDIR)$(MANDIR)/man1'
	$(INSTALL) -m 644 $(MANPAGES7) '$(DESTDIR)$(MANDIR)/man7'
	$(INSTALL) -m 644 $(COMPLETIONS) '$(DESTDIR)$(COMPDIR)'

.PHONY: uninstall
uninstall:
	rm -f '$(DESTDIR)$(BINDIR)/kpatch-build' \
		$(foreach p,$(PROGRAMS),'$(DESTDIR)$(BINDIR)/$(p)') \
		$(foreach f,$(MANPAGES),'$(DESTDIR)$(MANDIR)/man1/$(notdir $(f))') \
		$(foreach f,$(MANPAGES7),'$(DESTDIR)$(MANDIR)/man7/$(notdir $(f))') \
		$(foreach f,$(COMPLETIONS),'$(DESTDIR)$(COMPDIR)/$(notdir $(f))')
	rm -rf '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(DATADIR)'
