# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the stages share these variables
#
# Stage 2 for a module that is not part of the kernel's source (--oot-module, --oot-module-src). What later stages read is
# a profile like any other, made for this run only, in $WORKDIR/profile: the kernel's headers and build tools, from the
# release's profile or, if there is none, from its packages alone, without the kernel's source; and in src/oot a copy of the
# module's source. Patches are relative to that. The plan is what make says of the module.

OOT_MODULE=		# --oot-module: the module as it is loaded
OOT_SOURCE=		# --oot-module-src: the directory that it was built in
OOT_NAME=		# the module's name
OOT_RAW=		# the module, unpacked
OOT_SYMVERS=()		# what modules export that are not part of the kernel, as make writes it where they are built
SOURCE_OF=		# what messages call the source; set with RELEASE
readonly OOT_DIR=oot	# where it lies in the tree

# oot_check: what can be wrong with the options. RELEASE, if not given, is the one that the module was built for.
oot_check()
{
	local release
	[[ -n $OOT_MODULE || -n $OOT_SOURCE ]] || return 0
	[[ -n $OOT_MODULE ]] ||
		usage_error "--oot-module-src $OOT_SOURCE: needs the module that was built there, with --oot-module"
	[[ -n $OOT_SOURCE ]] ||
		usage_error "--oot-module $OOT_MODULE: needs the directory with its source, with --oot-module-src"
	((${#RELEASES[@]} < 2)) || usage_error "--oot-module: is built for one release; give at most one -a"
	[[ -f $OOT_MODULE && -r $OOT_MODULE ]] ||
		die "$OOT_MODULE: not a file that can be read; give the module as it is loaded"
	[[ -e $OOT_SOURCE/Makefile || -e $OOT_SOURCE/Kbuild ]] ||
		die "$OOT_SOURCE: has no Makefile and no Kbuild; give the directory that the module was built in"
	OOT_MODULE=$(readlink -f -- "$OOT_MODULE")
	OOT_SOURCE=$(readlink -f -- "$OOT_SOURCE")
	tools_check
	release=$("$(tool kpatch-image)" release "$OOT_MODULE" 2>/dev/null) || die "$OOT_MODULE: not a module"
	: "${RELEASE:=$release}"
	[[ $release == "$RELEASE" ]] ||
		die "$OOT_MODULE: is built for $release, not for $RELEASE; give the module that $RELEASE loads"
	oot_symvers
}

# oot_symvers: of the modules beside this one, and of those that make is told of by the same variable.
oot_symvers()
{
	local file files
	[[ ! -r $OOT_SOURCE/Module.symvers ]] || OOT_SYMVERS=("$OOT_SOURCE/Module.symvers")
	read -r -d '' -a files <<<"${KBUILD_EXTRA_SYMBOLS:-}" || true
	for file in "${files[@]}"; do
		[[ -f $file && -r $file ]] ||
			die "KBUILD_EXTRA_SYMBOLS: $file: not a file that can be read; it must be the Module.symvers of a module that $OOT_MODULE depends on"
		OOT_SYMVERS+=("$(readlink -f -- "$file")")
	done
}

# oot_module_file NAME: a module that this one depends on, and that is not part of the kernel either.
oot_module_file()
{
	local file
	{
		printf '%s\n' "${OOT_MODULE%/*}" "$OOT_SOURCE"
		for file in "${OOT_SYMVERS[@]}"; do
			printf '%s\n' "${file%/*}"
		done
	} | while read -r file; do
		module_find "$1" "$file"
	done | head -n 1
}

oot_wanted()
{
	[[ -n $OOT_MODULE ]]
}

# oot_profile_get: as profile_get.
oot_profile_get()
{
	local base
	if own_wanted; then
		profile_get
		base=$PROFILE
		stage_begin kernel "$OOT_MODULE"
	else
		stage_begin kernel "$RELEASE"
		oot_base
	fi
	KERNEL_VERSION=$(<"$base/version")
	KERNEL_CC=$(<"$base/cc")
	PROFILE=$WORKDIR/profile
	oot_module
	oot_tree "$base"
	oot_plan
	kernel_running_check
	stage_end "$RELEASE, $(kernel_origin), and $OOT_NAME"
	own_wanted || compiler_again
}

# oot_base: sets base to the release's profile, or to what the packages have without the source.
oot_base()
{
	profile_open
	base=$PROFILE
	if ! profile_complete; then
		base=$WORKDIR/headers
		oot_headers "$base"
	fi
}

# oot_headers DIR: what a profile has of a kernel but its source, from the packages of its image and headers.
oot_headers()
{
	local src=$1/src
	PROFILE_TMP=$1
	kernel_tools_check "${DEBIAN_TOOLS[@]}"
	kernel_locate headers
	kernel_compiler
	mkdir "$1" "$src" "$src/arch"
	{
		cp "$K_IMAGE" "$1/vmlinuz" &&
		cp "$K_CONFIG" "$1/config" &&
		cp "$K_HEADERS/Module.symvers" "$1/Module.symvers" &&
		ln -s "$(readlink -f "$K_MODULES")" "$1/modules"
	} 2>>"$LOG" || profile_failed "the shipped files of $RELEASE cannot be copied"
	profile_config_check
	stage_doing "copying the headers"
	{
		cp -R "$K_COMMON/Makefile" "$K_COMMON/include" "$K_KBUILD/scripts" "$K_KBUILD/tools" "$src/" &&
		cp -R "$K_COMMON/arch/x86" "$src/arch/" && chmod -R u+w "$src"
	} 2>>"$LOG" || profile_failed "the headers of $RELEASE cannot be copied"
	profile_overlay
	[[ -e $src/scripts/module.lds ]] || cp "$src/arch/x86/module.lds" "$src/scripts/" 2>>"$LOG" ||
		profile_failed "the headers of $RELEASE hold no module.lds"
	stage_doing "reading the image"
	symtab_read "$1/vmlinuz" "$1/symtab" ||
		profile_failed "vmlinuz-$RELEASE: its symbols cannot be read"
	profile_make_goal "kpatch:
	@echo \$(KBUILD_LDFLAGS) >../link-flags.1
	@echo \$(KBUILD_LDFLAGS_MODULE) \$(LDFLAGS_MODULE) >../link-flags.2" >>"$LOG" 2>&1 || true
	[[ -s $1/link-flags.1 ]] || profile_failed "the linker's flags of $RELEASE cannot be found"
	cat "$1/link-flags.1" "$1/link-flags.2" >"$1/link-flags"
	printf '%s\n' "$KERNEL_VERSION" >"$1/version"
	printf '%s\n' "$KERNEL_CC" >"$1/cc"
	printf '%s\n' "$PROFILE_FORMAT" >"$1/complete"
}

# oot_module: what the module is.
oot_module()
{
	local text
	OOT_RAW=$WORKDIR/oot.ko
	"$(tool kpatch-image)" unpack -o "$OOT_RAW" "$OOT_MODULE" 2>>"$LOG" ||
		failed "$WORKDIR" "$OOT_MODULE: cannot be unpacked"
	OOT_NAME=$("$(tool kpatch-image)" symtab "$OOT_MODULE" 2>>"$LOG" | awk -F '\t' '$1 == "object" { print $2; exit }')
	[[ -n $OOT_NAME && $OOT_NAME != vmlinux ]] || die "$OOT_MODULE: not a module; give the .ko file"
	SOURCE_OF="the source of $OOT_NAME"
	text=$("$(tool kpatch-image)" compiler "$OOT_MODULE" 2>>"$LOG") || text=
	[[ -z $text ]] || compiler_check "$OOT_MODULE" "$text"
}

# oot_tree BASE: links to all that is of the kernel, and a copy of the module's source without what was built there,
# which make would take for up to date.
oot_tree()
{
	local file
	mkdir "$PROFILE" "$PROFILE/src" "$PROFILE/src/$OOT_DIR" "$PROFILE/src/$OOT_DIR-probe"
	for file in vmlinuz config modules symtab link-flags version cc complete; do
		ln -s "$1/$file" "$PROFILE/$file"
	done
	find -H "$1/src" -mindepth 1 -maxdepth 1 -exec ln -s -t "$PROFILE/src" {} + 2>>"$LOG" ||
		failed "$WORKDIR" "the tree to compile in cannot be made"
	(cd "$OOT_SOURCE" && find -L . -type f ! -name '*.o' ! -name '*.ko' ! -name '*.mod' ! -name '*.mod.c' ! -name '.*.cmd' \
		! -name modules.order ! -path './.git/*' -print0 |
		xargs -0 -r cp --parents -L -t "$PROFILE/src/$OOT_DIR" --) 2>>"$LOG" ||
		failed "$WORKDIR" "$OOT_SOURCE: cannot be copied"
	# Of what such modules export, the kernel knows nothing. Modpost takes no export of a module twice.
	awk -F '\t' '!seen[$2, $3]++' "$1/Module.symvers" "${OOT_SYMVERS[@]}" >"$PROFILE/Module.symvers"
	printf 'obj-m := kpatch_probe.o\n' >"$PROFILE/src/$OOT_DIR-probe/Kbuild"
	: >"$PROFILE/src/$OOT_DIR-probe/kpatch_probe.c"
}

# oot_make DIR: what make would do for the modules in a directory of the tree.
oot_make()
{
	local src=$PROFILE/src
	log "make -n M=$1"
	env -i PATH="$PATH" HOME=/dev/null LC_ALL=C PWD="$src/$1" make -C "$src" --no-print-directory -n -k -j1 V=1 M="$1" \
		CC="$KERNEL_CC" HOSTCC="$KERNEL_CC" ARCH=x86 KERNELRELEASE="$RELEASE" modules \
		>"$WORKDIR/make.out" 2>"$WORKDIR/make.err" </dev/null || true
	cat "$WORKDIR/make.err" >>"$LOG"
	# A path of the tree would lead past the patch.
	awk -v dir="$1" -v relative="$WORKDIR/oot.relative" -f "$STAGES/oot-paths.awk" "$WORKDIR/make.out" | sed "s|$src/||g"
}

# oot_plan: the plan of the module, and the flags of a module of our own, which are those of a module without flags.
oot_plan()
{
	local others
	stage_doing "asking make for the compile plan"
	: >"$PROFILE/generated"
	: >"$PROFILE/rest"
	{ oot_make "$OOT_DIR-probe"; oot_make "$OOT_DIR"; } >"$WORKDIR/oot.out"
	plan_parse "$WORKDIR/oot.out" "$PROFILE" | plan_objtool >"$WORKDIR/oot.plan" ||
		failed "$WORKDIR" "the compile plan of $OOT_NAME cannot be written"
	grep "^$OOT_DIR-probe/" "$WORKDIR/oot.plan" | module_flags - >"$PROFILE/module-flags" ||
		failed "$WORKDIR" "make does not say how a module is compiled for $RELEASE"
	awk -F '\t' -v dir="$OOT_DIR/" -v name="$OOT_NAME" 'index($1, dir) == 1 && index(":" $3 ":", ":" name ":")' \
		"$WORKDIR/oot.plan" >"$PROFILE/plan"
	if [[ ! -s $PROFILE/plan ]]; then
		others=$(awk -F '\t' -v dir="$OOT_DIR/" 'index($1, dir) == 1 { print $3 }' "$WORKDIR/oot.plan" | tr ':' '\n' | sort -u | tr '\n' ' ')
		[[ -z $others ]] ||
			die "$OOT_SOURCE: builds ${others% }, not $OOT_NAME; give the directory that $OOT_MODULE was built in"
		failed "$WORKDIR" "$OOT_SOURCE: make builds no module there: $(oot_reason)"
	fi
	oot_prefix
	includes_write "$PROFILE/src" "$PROFILE/plan" >"$PROFILE/includes" 2>>"$LOG" ||
		failed "$WORKDIR" "the include graph of $OOT_NAME cannot be written"
	awk -F '\t' '$2 ~ /\.c$/' "$PROFILE/includes" >"$PROFILE/c-includes"
}

oot_reason()
{
	grep -m 1 -E '\*\*\*|[Ee]rror' "$WORKDIR/make.err" || printf 'it lists nothing to compile\n'
}

# oot_prefix: __FILE__ is where the source lay when the module was built, which the module's strings tell if it uses it; from 6.13 on
# make leaves the directory out.
oot_prefix()
{
	local file prefix=
	strings -a "$OOT_RAW" >"$WORKDIR/oot.strings" 2>>"$LOG" || failed "$WORKDIR" "$OOT_MODULE: cannot be read"
	while read -r file; do
		prefix=$(awk -v file="/${file#"$OOT_DIR/"}" '
			length($0) > length(file) && substr($0, length($0) - length(file) + 1) == file && !/[[:space:]]/ {
				print substr($0, 1, length($0) - length(file) + 1)
				exit
			}' "$WORKDIR/oot.strings")
		[[ -z $prefix ]] || break
	done < <(cut -f 2 "$PROFILE/plan")
	[[ -n $prefix || -e $WORKDIR/oot.relative ]] || prefix=$OOT_SOURCE/
	log "$OOT_NAME was built in ${prefix:-its directory}"
	[[ $prefix =~ ^[A-Za-z0-9/._+:@~-]*$ ]] || die "$prefix: has characters that cannot be part of the path of a source"
	# ccache takes no notice of the option by itself, and would find the object of the same source elsewhere.
	awk -F '\t' -v OFS='\t' -v map=" -fmacro-prefix-map=$OOT_DIR/=$prefix -DKPATCH_OOT_PREFIX=$prefix" '{ $5 = $5 map; print }' \
		"$PROFILE/plan" >"$WORKDIR/oot.plan"
	mv "$WORKDIR/oot.plan" "$PROFILE/plan"
}
