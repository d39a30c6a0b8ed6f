#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Kernels that their user has built, with a real one (test/kernel/own.config): livepatches for it and for its module, what is
# said when source, configuration and vmlinux do not belong together, and signatures that it insists on.
#
# It takes ten minutes to build it, once, so this is no part of "make check": "make check-own". What needs no real
# kernel is in test/unit/driver-own.bats and driver-sign.bats. KPATCH_TEST_SOURCE=6.12 takes the source of that version.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko and output

bats_require_minimum_version 1.5.0
load ../integration/common
load ../integration/signature

setup_file()
{
	KPATCH_TEST_BUILD=$("$BATS_TEST_DIRNAME/../kernel/build" own 3>&-)
	export KPATCH_TEST_BUILD
	# The profiles of these tests are of no use to others.
	export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
	mkdir "$XDG_CACHE_HOME"
}

setup()
{
	need_kernel
	KERNEL=$KPATCH_TEST_BUILD/build
	SOURCE=$(readlink -f "$KPATCH_TEST_BUILD/source")
}

# listing DIRECTORY...: changes if anything in them does.
listing()
{
	find "$@" -printf '%p %m %s %T@ %C@ %l\n' | sort
}

@test "a kernel built with make O=: the livepatch takes effect and goes away, and neither tree is written to" {
	listing "$SOURCE" "$KERNEL" >"$BATS_TEST_TMPDIR/before"
	build 0 string -s "$KERNEL" "$TOP/examples/meminfo-string.patch"
	listing "$SOURCE" "$KERNEL" | cmp - "$BATS_TEST_TMPDIR/before"
	output_has "^kernel   $KPATCH_TEST_RELEASE, $SOURCE "
	[ "$(modinfo -F vermagic "$ko")" = "$KPATCH_TEST_RELEASE SMP preempt mod_unload " ]
	[ "$(klp_relocations "$ko" | cut -f 1,3 | sort -u)" = "$(
		for symbol in arch_report_meminfo pcpu_nr_pages seq_put_decimal_ull_width vm_commit_limit vmalloc_nr_pages; do
			printf '.klp.rela.vmlinux..text.meminfo_proc_show\t.klp.sym.vmlinux.%s,0\n' $symbol
		done
	)" ]
	guest_script <<<"example_rounds livepatch_string"
	boot --module "$ko"
}

@test "the second build prepares nothing, also if source, configuration and vmlinux are given one by one" {
	build 0 again -s "$KERNEL" "$TOP/examples/meminfo-string.patch"
	run ! output_has preparing
	build 0 again -s "$SOURCE" -c "$KERNEL/.config" -v "$KERNEL/vmlinux" "$TOP/examples/meminfo-string.patch"
	run ! output_has preparing
}

@test "a module of that kernel is proven against its file beside vmlinux, and patched" {
	local file=fs/binfmt_misc.c expected=
	cd "$BATS_TEST_TMPDIR"
	sed '/^bm_status_read/,/^}/s/"enabled\\n"/"enabled (patched)\\n"/' "$SOURCE/$file" >new.c
	run -1 diff -u --label "a/$file" --label "b/$file" "$SOURCE/$file" new.c
	printf '%s\n' "$output" >binfmt-status.patch
	build 0 binfmt -s "$KERNEL" "$PWD/binfmt-status.patch"
	# Later it is a member of an object that the function is given.
	[[ $KPATCH_TEST_RELEASE != 6.1.* ]] || expected=$'.klp.rela.binfmt_misc..text.bm_status_read\t.klp.sym.binfmt_misc.enabled,1'
	[ "$(klp_relocations "$ko" | cut -f 1,3 | sort -u)" = "$expected" ]
	guest_script <<-'EOT'
		load binfmt_misc
		mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
		expect before enabled "$(cat /proc/sys/fs/binfmt_misc/status)"
		load livepatch_binfmt
		expect "what is patched" binfmt_misc/bm_status_read,1 "$(patched_functions livepatch_binfmt)"
		expect loaded "enabled (patched)" "$(cat /proc/sys/fs/binfmt_misc/status)"
		disable livepatch_binfmt
		expect disabled enabled "$(cat /proc/sys/fs/binfmt_misc/status)"
		unload livepatch_binfmt
	EOT
	boot --module "$KERNEL/fs/binfmt_misc.ko" --module "$ko"
}

@test "a module that is not part of its source, built for that kernel" {
	cp -R "$INTEGRATION/oot" "$BATS_TEST_TMPDIR/oot"
	make -C "$BATS_TEST_TMPDIR/oot" KDIR="$KERNEL" CC=gcc-12 >"$BATS_TEST_TMPDIR/make.log" 2>&1
	build 0 oot -s "$KERNEL" --oot-module "$BATS_TEST_TMPDIR/oot/kpatch-oot.ko" --oot-module-src "$BATS_TEST_TMPDIR/oot" oot-count.patch
	output_has '^  changed   kpatch_oot: show\(\)'
	output_has '^  changed   kpatch_oot: count_read\(\)'
}

@test "a source that was changed since the kernel was built: the proof tells, and what is newer" {
	local tree=$BATS_TEST_TMPDIR/tree
	# Hard links, with a file of its own, which the compiler makes other code of.
	cp -al "$SOURCE" "$tree"
	chmod -R u+w "$tree/fs/proc" 2>/dev/null || true
	rm "$tree/fs/proc/meminfo.c"
	sed 's/^static int meminfo_proc_show/int kpatch_added;\n&/; s/si_meminfo(&i);/& kpatch_added++;/' \
		"$SOURCE/fs/proc/meminfo.c" >"$tree/fs/proc/meminfo.c"
	build 1 changed -s "$tree" -c "$KERNEL/.config" -v "$KERNEL/vmlinux" "$TOP/examples/meminfo-string.patch"
	output_has "^create-diff-object: error: fs/proc/meminfo\\.c: meminfo_proc_show\\+0x[0-9a-f]+: the kernel has [0-9a-f ]+ here, the compiled source "
	output_has "^kpatch-build: note: $tree: 1 file is newer than $KERNEL/vmlinux \(fs/proc/meminfo\.c\): give the source as it was"
}

@test "a configuration of another kernel: the proof tells, and what it can be" {
	local config=$BATS_TEST_TMPDIR/config
	sed 's/^# CONFIG_CC_OPTIMIZE_FOR_SIZE is not set/CONFIG_CC_OPTIMIZE_FOR_SIZE=y/
		s/^CONFIG_CC_OPTIMIZE_FOR_PERFORMANCE=y/# CONFIG_CC_OPTIMIZE_FOR_PERFORMANCE is not set/' "$KERNEL/.config" >"$config"
	build 1 config -s "$KERNEL" -c "$config" "$TOP/examples/meminfo-string.patch"
	output_has "^create-diff-object: error: fs/proc/meminfo\\.c: "
	output_has "^kpatch-build: note: $KERNEL/vmlinux is not what $SOURCE, $config and gcc-12 make: look if another version is checked out there now, "
}

@test "a configuration that this source and these tools do not leave as it is" {
	local config=$BATS_TEST_TMPDIR/config
	# As if it had been made where pahole was, and by an older source.
	sed 's/^CONFIG_SLUB=y/CONFIG_SLUB=y\nCONFIG_DEBUG_INFO_BTF=y\nCONFIG_GONE=y/' "$KERNEL/.config" >"$config"
	build 1 config -s "$KERNEL" -c "$config" "$TOP/examples/meminfo-string.patch"
	output_has "^kpatch-build: error: $config: becomes another configuration in $SOURCE, with the tools that are here: CONFIG_DEBUG_INFO_BTF CONFIG_GONE; it is of another source, "
}

@test "where only signed modules load: a livepatch with the signature of a trusted key does, any other is refused" {
	local patch=$TOP/examples/meminfo-string.patch
	cd "$BATS_TEST_TMPDIR"
	signing_key other
	build 0 unsigned -s "$KERNEL" "$patch"
	build 0 other -s "$KERNEL" --sign-key other.key --sign-cert other.pem "$patch"
	build 0 trusted -s "$KERNEL" --sign-key "$KERNEL/trusted.key" --sign-cert "$KERNEL/trusted.pem" "$patch"
	output_has '^sign     sha512, CN=kpatch test '
	signed_by "$ko" "$KERNEL/trusted.pem" sha512
	# The key that the kernel's build made for its own modules lies beside its certificate.
	build 0 builders -s "$KERNEL" --sign-key "$KERNEL/certs/signing_key.pem" "$patch"
	signed_by "$ko" "$KERNEL/certs/signing_key.pem" sha512
	# A message that it never gives.
	build 0 damaged -s "$KERNEL" --sign-key "$KERNEL/trusted.key" --sign-cert "$KERNEL/trusted.pem" "$patch"
	sed -i 's/undeclared variable/undeclared variabel/' "$ko"
	run ! signed_by "$ko" "$KERNEL/trusted.pem" sha512
	guest_script <<-'EOT'
		names() { cut -d : -f 1 /proc/meminfo; }
		original=$(names)
		patched=$(echo "$original" | sed 's/^VmallocChunk$/VmallocChunk (patched)/')
		[ "$original" != "$patched" ] || fail "this kernel shows no VmallocChunk"
		expect "signatures are wanted" Y "$(cat /sys/module/module/parameters/sig_enforce)"
		# refused NAME [WHY]: insmod says that the key was rejected, and the kernel's log why.
		refused() {
			dmesg -c >/dev/null
			! insmod "/modules/livepatch_$1.ko" 2>/tmp/said || fail "livepatch_$1 was loaded"
			expect_match "insmod of $1" "Key was rejected by service|Bad message" "$(cat /tmp/said)"
			[ -z "${2:-}" ] || expect_match "the log about $1" "$2" "$(dmesg)"
			[ ! -e "/sys/module/livepatch_$1" ] || fail "livepatch_$1 is there"
			expect "$1" "$original" "$(names)"
		}
		refused unsigned "Loading of unsigned module is rejected"
		refused other "Loading of module with unavailable key is rejected"
		refused damaged
		for name in trusted builders; do
			load "livepatch_$name"
			expect "$name is loaded" "$patched" "$(names)"
			expect_no_match "$name is taken for unsigned" E "$(cat "/sys/module/livepatch_$name/taint")"
			disable "livepatch_$name"
			expect "$name is disabled" "$original" "$(names)"
			unload "livepatch_$name"
		done
	EOT
	boot --append module.sig_enforce=1 --module "$BATS_TEST_TMPDIR/livepatch-unsigned.ko" \
		--module "$BATS_TEST_TMPDIR/livepatch-other.ko" --module "$BATS_TEST_TMPDIR/livepatch-damaged.ko" \
		--module "$BATS_TEST_TMPDIR/livepatch-trusted.ko" --module "$BATS_TEST_TMPDIR/livepatch-builders.ko"
}
