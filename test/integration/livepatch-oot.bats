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
