# SPDX-License-Identifier: GPL-2.0-only
# kpatch-shadow. The two targets for newcomers: "make demo" and "make check".

VERSION := 0.1.0

PREFIX	?= /usr/local
DESTDIR	?=
BINDIR	:= $(PREFIX)/bin
LIBEXECDIR := $(PREFIX)/libexec/kpatch
DATADIR	:= $(PREFIX)/share/kpatch
MANDIR	:= $(PREFIX)/share/man

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

%.o: %.c
	$(CC) $(KCFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(wildcard */*.d)

.PHONY: clean
clean:
	rm -f */*.o */*.d $(LIB) $(foreach p,$(PROGRAMS),$(p)/$(p))
