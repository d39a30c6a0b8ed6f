#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# A module that is not part of the kernel's source, built as its users do it, and patched from its own source.
#
# shellcheck disable=SC2016 # the quoted $ are for the guest
# shellcheck disable=SC2154 # build sets ko

bats_require_minimum_version 1.5.0
load common
load signature

setup()
{
	need_kernel
	OOT=$BATS_TEST_TMPDIR/source
	cp -R "$INTEGRATION/oot" "$OOT"
	packages
	make -C "$OOT" KDIR="$KDIR" > "$BATS_TEST_TMPDIR/make.log" 2>&1 || { cat "$BATS_TEST_TMPDIR/make.log"; return 1; }
	MODULE=$OOT/kpatch-oot.ko
}

# packages: sets KDIR, the kernel's headers as a user has them; and leaves in $EMPTY a cache without the release's
# profile, so that nothing of the kernel's source is there, with the packages that were downloaded once.
packages()
{
	local file version common
	EMPTY=$BATS_FILE_TMPDIR/cache
	KDIR=/lib/modules/$KPATCH_TEST_RELEASE/build
	mkdir -p "$EMPTY/kpatch/packages"
	[[ ! -e $KDIR/Makefile ]] || return 0
	KDIR=$BATS_FILE_TMPDIR/root/usr/src/linux-headers-$KPATCH_TEST_RELEASE
	[[ ! -e $KDIR/ready ]] || return 0
	for file in "${XDG_CACHE_HOME:-$HOME/.cache}"/kpatch/packages/linux-{image,headers,kbuild}-*.deb; do
		ln -sf "$file" "$EMPTY/kpatch/packages/"
	done
	file=$(echo "$EMPTY"/kpatch/packages/linux-headers-"$KPATCH_TEST_RELEASE"_*.deb)
	version=$(dpkg-deb -f "$file" Version)
	common=$(dpkg-deb -f "$file" Depends | grep -o 'linux-headers-[^ ]*-common[^ ,]*')
	(cd "$BATS_FILE_TMPDIR" && apt-get -q download "$common=$version" > /dev/null 2>&1)
	mv "$BATS_FILE_TMPDIR/$common"_*.deb "$EMPTY/kpatch/packages/${common}_$version.deb"
	for file in "$file" "$EMPTY/kpatch/packages/${common}_$version.deb" "$EMPTY"/kpatch/packages/linux-kbuild-*_"$version".deb; do
		dpkg-deb -x "$file" "$BATS_FILE_TMPDIR/root"
	done
	sed -i "s|^include /|include $BATS_FILE_TMPDIR/root/|" "$KDIR/Makefile"
	: > "$KDIR/ready"
}

# build_oot STATUS NAME [OPTION...] PATCH: as build, for the module.
build_oot()
{
	build "$1" "$2" --oot-module "$MODULE" --oot-module-src "$OOT" "${@:3}"
}

@test "its functions are patched in whatever order it and the livepatch are loaded" {
	build_oot 0 oot oot-count.patch
	module_sane "$ko"
	output_has '^  changed   kpatch_oot: show\(\)'
	output_has '^  changed   kpatch_oot: count_read\(\)'
	run klp_relocations "$ko"
	[[ $output == *".klp.rela.kpatch_oot."*".klp.sym.kpatch_oot.count."* ]]
	guest_script <<-'EOF'
		load kpatch_oot
		read_it() { cat /proc/kpatch-oot; }
		expect "before" "count 1, read in cat" "$(read_it)"
		load livepatch_oot
		expect "what is patched" "kpatch_oot/count_read,1
		kpatch_oot/show,1" "$(patched_functions livepatch_oot)"
		expect "patched, with the module's own counter" "patched count 11, read in cat" "$(read_it)"
		disable livepatch_oot
		expect "disabled" "count 12, read in cat" "$(read_it)"
		unload livepatch_oot
		unload kpatch_oot
		load livepatch_oot
		load kpatch_oot
		expect "the livepatch first" "patched count 10, read in cat" "$(read_it)"
		disable livepatch_oot
		unload livepatch_oot
		unload kpatch_oot
	EOF
	cp "$MODULE" "$BATS_TEST_TMPDIR/kpatch_oot.ko"
	boot --module "$ko" --module "$BATS_TEST_TMPDIR/kpatch_oot.ko"
}

@test "the headers suffice: without the kernel's source, the same livepatch comes out" {
	build_oot 0 oot oot-count.patch
	mv "$ko" "$BATS_TEST_TMPDIR/with-source.ko"
	XDG_CACHE_HOME=$EMPTY build_oot 0 oot oot-count.patch
	cmp "$ko" "$BATS_TEST_TMPDIR/with-source.ko"
	# Their sign-file signs it, too.
	cd "$BATS_TEST_TMPDIR"
	signing_key mine
	XDG_CACHE_HOME=$EMPTY build_oot 0 oot --sign-key mine.key --sign-cert mine.pem oot-count.patch
	signed_by "$ko" mine.pem sha256
	cmp "$ko.unsigned" with-source.ko
	[ ! -e "$EMPTY/kpatch/profiles/$KPATCH_TEST_RELEASE" ]
	run compgen -G "$EMPTY/kpatch/packages/linux-source-*"
	[ "$status" -eq 1 ]
}

@test "a packed module without -a, from a copy of its source: where it was built is in the module" {
	xz -k "$MODULE"
	cp -R "$OOT" "$BATS_TEST_TMPDIR/copy"
	run "$TOP/kpatch-build/kpatch-build" -n oot -o "$BATS_TEST_TMPDIR" --oot-module "$MODULE.xz" \
		--oot-module-src "$BATS_TEST_TMPDIR/copy" "$PATCHES/oot-count.patch"
	[ "$status" -eq 0 ]
	[ "$(modinfo -F vermagic "$BATS_TEST_TMPDIR/livepatch-oot.ko" | cut -d ' ' -f 1)" = "$KPATCH_TEST_RELEASE" ]
}

@test "a source that is not what the module was built from is no source to patch" {
	sed -i 's/limit = 1000/limit = 1001/; s/count > limit/count >= limit/' "$OOT/sub/count.c"
	build_oot 1 oot oot-count.patch
	output_has 'error: oot/sub/count.c: .*the kernel has .* here, the compiled source '
}

@test "a file of the module that is not compiled, and a patch that does not fit, are said to be so" {
	echo 'int x;' > "$OOT/unused.c"
	printf -- '--- a/unused.c\n+++ b/unused.c\n@@ -1 +1 @@\n-int x;\n+int y;\n' > "$BATS_TEST_TMPDIR/unused.patch"
	build_oot 2 oot "$BATS_TEST_TMPDIR/unused.patch"
	output_has 'refused: oot/unused.c: is not compiled '
	sed 's/read by/written by/' "$PATCHES/oot-count.patch" > "$BATS_TEST_TMPDIR/other.patch"
	build_oot 1 oot "$BATS_TEST_TMPDIR/other.patch"
	output_has 'error: .*/other.patch: does not apply to the source of kpatch_oot: '
}

# dependent: two modules, built in directories of their own: kpatch-user shows what kpatch-base exports.
dependent()
{
	cd "$BATS_TEST_TMPDIR" || return
	mkdir base user
	echo 'obj-m := kpatch-base.o' > base/Makefile
	echo 'obj-m := kpatch-user.o' > user/Makefile
	cat > base/kpatch-base.c <<-'EOF'
		#include <linux/module.h>
		int kpatch_base_value(int n);
		int kpatch_base_value(int n)
		{
			return n * 3;
		}
		EXPORT_SYMBOL_GPL(kpatch_base_value);
		MODULE_LICENSE("GPL");
	EOF
	cat > user/kpatch-user.c <<-'EOF'
		#include <linux/module.h>
		#include <linux/proc_fs.h>
		#include <linux/seq_file.h>
		int kpatch_base_value(int n);
		static int show(struct seq_file *m, void *v)
		{
			seq_printf(m, "value %d\n", kpatch_base_value(2));
			return 0;
		}
		static int __init user_init(void)
		{
			return proc_create_single("kpatch-user", 0444, NULL, show) ? 0 : -ENOMEM;
		}
		static void __exit user_exit(void)
		{
			remove_proc_entry("kpatch-user", NULL);
		}
		module_init(user_init);
		module_exit(user_exit);
		MODULE_LICENSE("GPL");
	EOF
	sed 's/"value \(.*\)(2)/"patched value \1(5)/' user/kpatch-user.c > new.c
	diff -u --label a/kpatch-user.c --label b/kpatch-user.c user/kpatch-user.c new.c > user.patch || [ $? -eq 1 ]
	make -C "$KDIR" "M=$PWD/base" modules > make.log 2>&1
	make -C "$KDIR" "M=$PWD/user" KBUILD_EXTRA_SYMBOLS="$PWD/base/Module.symvers" modules >> make.log 2>&1
	MODULE=$PWD/user/kpatch-user.ko OOT=$PWD/user
}

@test "a module that depends on another one, which is no part of the kernel either" {
	dependent
	build_oot 1 user "$PWD/user.patch"
	output_has "^kpatch-build: error: kpatch_base: neither linux-image-$KPATCH_TEST_RELEASE nor a directory where modules are built has it, and kpatch_user depends on it; give the Module.symvers of its build, with the module beside it, in KBUILD_EXTRA_SYMBOLS$"
	KBUILD_EXTRA_SYMBOLS=base/Module.symvers build_oot 0 user "$PWD/user.patch"
	# The livepatch can be loaded before either of them.
	[ "$(modinfo -F depends "$ko")" = "" ]
	run klp_relocations "$ko"
	[[ $output == *".klp.rela.kpatch_user."*".klp.sym.kpatch_base.kpatch_base_value,"* ]]
	guest_script <<-'EOF'
		load livepatch_user
		load kpatch_base
		load kpatch_user
		expect "patched" "patched value 15" "$(cat /proc/kpatch-user)"
		disable livepatch_user
		expect "disabled" "value 6" "$(cat /proc/kpatch-user)"
		unload livepatch_user
	EOF
	cp base/kpatch-base.ko kpatch_base.ko
	cp user/kpatch-user.ko kpatch_user.ko
	boot --module "$ko" --module "$PWD/kpatch_base.ko" --module "$PWD/kpatch_user.ko"
}
