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
LIBS	:= -lelf -lcapstone -llz4 -lzstd -llzma -lz -lbpf

# Each program is a directory: all its *.c files, linked with lib/.
PROGRAMS := create-diff-object create-klp-module kpatch-image
LIB	:= lib/libkpatch.a
OBJS	= $(patsubst %.c,%.o,$(wildcard $(1)/*.c))

.PHONY: all
all: $(foreach p,$(PROGRAMS),$(p)/$(p))

define program_rule
$(1)/$(1): $$(call OBJS,$(1)) $$(LIB)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)
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

.PHONY: check-unit check-integration bench
check-unit: all
	@test/run test/unit

check-integration: all
	@test/run test/integration

bench: all
	@test/bench/run

SHELL_FILES = $(shell grep -lrE '^#!/bin/(ba)?sh|^\# shellcheck shell=' kpatch-build kmod test .ci \
		completion --include='*' 2>/dev/null | sort)

# It does not see through uthash's loops and designated initialisers; the compiler warns about
# uninitialised variables without such mistakes.
CPPCHECK_SUPPRESS := $(addprefix --suppress=,missingInclude missingIncludeSystem unknownMacro \
	uninitvar legacyUninitvar uninitStructMember)

.PHONY: lint
lint:
	shellcheck -x $(SHELL_FILES)
	shellcheck -x test/unit/*.bats test/integration/*.bats
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability \
		$(CPPCHECK_SUPPRESS) -Ilib lib $(PROGRAMS)

# ---- installation ----

.PHONY: install
install: all
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(DATADIR)' \
		'$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(COMPDIR)'
	install -m 755 $(foreach p,$(PROGRAMS),$(p)/$(p)) '$(DESTDIR)$(LIBEXECDIR)'

.PHONY: uninstall
uninstall:
	rm -f '$(DESTDIR)$(BINDIR)/kpatch-build' '$(DESTDIR)$(MANDIR)'/man1/kpatch-build.1 \
		$(foreach p,$(PROGRAMS),'$(DESTDIR)$(MANDIR)/man1/$(p).1') \
		'$(DESTDIR)$(COMPDIR)/kpatch-build'
	rm -rf '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(DATADIR)'
