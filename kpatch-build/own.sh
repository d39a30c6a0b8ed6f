# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the stages share these variables
#
# Stages 1 and 2 for a kernel that its user has built (--sourcedir, --config, --vmlinux). What later stages read is a
# profile like any other, of a copy of the tree.
#
# The plan is what make says in that copy, as it is for a distribution's kernel. The other two ways were looked at: make
# with O= refuses a tree in which a kernel was built, which is the usual case; and the .cmd files of the user's build are only
# there where it was built, name objects whose sources may have gone since, and do not say how a file that a patch adds
# would be compiled. In a copy there is one way for all trees, and the copy does not change while a patch is built.
#
# Everything that can differ from the user's build is looked at: the configuration must stay as it is when make has read
# it with the tools that are here, and each object that is patched is proven to be what vmlinux, or the module, holds.

OWN_SOURCE=		# -s: the source; never written to
OWN_CONFIG=		# -c: the configuration
OWN_MODULES=		# --modules: the directory that its modules are in, may be none
OWN_VMLINUX=		# -v, or the default
OWN_VMLINUX_GIVEN=0
OWN_SYMVERS=		# Module.symvers of that build
OWN_STATE=		# of all these, in a few lines
PROFILE_NAME=		# of the profile in the cache; the release, and more for these kernels

own_wanted()
{
	[[ -n $OWN_SOURCE ]]
}

# own_check: what can be wrong with the options. RELEASE, if not given, is the one of vmlinux.
own_check()
{
	local release build=$OWN_SOURCE
	if ! own_wanted; then
		[[ -z $OWN_CONFIG ]] || usage_error "-c $OWN_CONFIG: needs the source that was built with it, with -s"
		[[ -z $OWN_MODULES ]] || usage_error "--modules $OWN_MODULES: needs the source that they were built from, with -s"
		return 0
	fi
	((${#RELEASES[@]} < 2)) || usage_error "-s $OWN_SOURCE: is the source of one release; give at most one -a"
	# A directory of O= leads to its source.
	[[ -e $OWN_SOURCE/Kconfig || ! -d $OWN_SOURCE/source ]] || OWN_SOURCE=$OWN_SOURCE/source
	[[ -f $OWN_SOURCE/Kconfig && -f $OWN_SOURCE/Makefile && -d $OWN_SOURCE/arch/x86 ]] ||
		die "$build: not the source of a kernel; give the directory that the kernel was built in, or from"
	[[ -z $VMLINUX ]] || OWN_VMLINUX_GIVEN=1
	: "${OWN_CONFIG:=$build/.config}" "${VMLINUX:=$build/vmlinux}"
	[[ -f $OWN_CONFIG && -r $OWN_CONFIG ]] ||
		die "$OWN_CONFIG: cannot be read; give the configuration that the kernel was built with, with -c"
	[[ -f $VMLINUX && -r $VMLINUX ]] || die "$VMLINUX: cannot be read; give the kernel that was built, with -v"
	[[ -z $OWN_MODULES || -d $OWN_MODULES ]] || die "$OWN_MODULES: not a directory; give the one that the modules are in"
	OWN_SOURCE=$(readlink -f -- "$OWN_SOURCE")
	OWN_CONFIG=$(readlink -f -- "$OWN_CONFIG")
	OWN_VMLINUX=$(readlink -f -- "$VMLINUX")
	# It is the profile's image.
	VMLINUX=
	tools_check
	release=$("$(tool kpatch-image)" release "$OWN_VMLINUX" 2>/dev/null) || die "$OWN_VMLINUX: not the image of a kernel"
	: "${RELEASE:=$release}"
	[[ $release == "$RELEASE" ]] ||
		die "$OWN_VMLINUX: is of release $release, not of $RELEASE; give the image of $RELEASE or another -a"
	own_modules_find
	own_version_check
	PROFILE_NAME=$RELEASE~$(printf '%s\n' "$OWN_SOURCE" "$OWN_CONFIG" "$OWN_VMLINUX" "$OWN_MODULES" | sha256sum | head -c 12)
}

# own_modules_find: sets OWN_MODULES and OWN_SYMVERS to what belongs to vmlinux.
own_modules_find()
{
	local dir build=${OWN_VMLINUX%/*} installed=/lib/modules/$RELEASE
	for dir in "$build" "$installed"; do
		[[ -z $OWN_MODULES && -e $dir/modules.order ]] || continue
		OWN_MODULES=$dir
	done
	[[ -z $OWN_MODULES ]] || OWN_MODULES=$(readlink -f -- "$OWN_MODULES")
	for dir in "$build" "${OWN_CONFIG%/*}" "$OWN_SOURCE" "$installed/build"; do
		[[ -r $dir/Module.symvers ]] || continue
		OWN_SYMVERS=$dir/Module.symvers
		return 0
	done
	die "$build/Module.symvers: missing, it says what the kernel exports; give vmlinux where it was built, and run make for its modules there"
}

# own_version_check: the source must call itself what the release begins with.
own_version_check()
{
	local version
	version=$(awk '
		/^(VERSION|PATCHLEVEL|SUBLEVEL) *=/ { v[$1] = $3 }
		END { print v["VERSION"] "." v["PATCHLEVEL"] (v["SUBLEVEL"] == "" ? "" : "." v["SUBLEVEL"]) }' "$OWN_SOURCE/Makefile")
	[[ $RELEASE == "$version" || $RELEASE == "$version"[!0-9]* ]] ||
		die "$OWN_SOURCE: is the source of $version, but $OWN_VMLINUX is of release $RELEASE; give those that belong together"
}

# own_files [TEST...]: the paths of the source, ended by zero bytes: not what a build has made, as far as names tell, nor what
# no object is made from, nor keys. Of documentation and other architectures make wants to see its own files.
own_files()
{
	local dir prune=()
	# Directories of O= inside.
	for dir in "${OWN_CONFIG%/*}" "${OWN_VMLINUX%/*}" "$OWN_SOURCE"/*; do
		[[ $dir != "$OWN_SOURCE"/?* || ! -e $dir/.config ]] || prune+=(-o -path "./${dir#"$OWN_SOURCE"/}")
	done
	(cd "$OWN_SOURCE" && find . \( -name .git -o -path ./include/generated -o -path ./include/config \
		-o -path './arch/*/include/generated' -o -path ./tools/testing -o -path ./tools/perf -o -path './.tmp*' \
		"${prune[@]}" \) -prune -o \( -type f -o -type l \) \
		\( ! -path './Documentation/*/*' -o -name 'Makefile*' -o -name 'Kconfig*' \) \
		\( ! -path './arch/*/*' -o -path './arch/x86/*' -o -name 'Kconfig*' \) \
		! -name '*.o' ! -name '*.a' ! -name '*.ko' ! -name '*.mod' ! -name '*.mod.c' ! -name '.*.cmd' ! -name '.*.d' \
		! -name '*.so' ! -name '*.so.dbg' ! -name '*.dwo' ! -name '*.gcno' ! -name modules.order ! -name Module.symvers \
		! -name '*.pem' ! -name '*.key' ! -path ./vmlinux ! -path './vmlinux.*' ! -path './modules.*' ! -path './System.map*' \
		! -path './.config*' ! -path ./.version ! -name bzImage ! -name 'vmlinux.bin*' "$@")
}

# own_state: changes with whatever the profile depends on.
own_state()
{
	printf 'source %s\n' "$(own_files -printf '%P %s %T@ %l\n' | sort | sha256sum)"
	printf 'config %s\n' "$(sha256sum <"$OWN_CONFIG")"
	printf 'symvers %s\n' "$(sha256sum <"$OWN_SYMVERS")"
	printf 'modules %s\n' "$(own_modules_list | sha256sum)"
	printf 'vmlinux %s %s\n' "$("$(tool kpatch-image)" build-id "$OWN_VMLINUX" 2>/dev/null)" "$(stat -c '%s %Y' "$OWN_VMLINUX")"
}

own_state_get()
{
	own_wanted || return 0
	stage_doing "looking at $OWN_SOURCE"
	OWN_STATE=$(own_state) || failed "$WORKDIR" "$OWN_SOURCE: cannot be read"
}

# own_modules_list: the paths of the modules, relative to OWN_MODULES. A directory with a build may hold others,
# which were installed below it; modules.order has neither kernel/ nor the names of packed modules in all versions.
own_modules_list()
{
	local file try
	[[ -n $OWN_MODULES ]] || return 0
	if [[ ! -e $OWN_MODULES/modules.order ]]; then
		(cd "$OWN_MODULES" && find . -name '*.ko*' -printf '%P\n' | sort)
		return
	fi
	sed 's/\.o$/.ko/' "$OWN_MODULES/modules.order" | while read -r file; do
		for try in "${file#kernel/}" "$file"{,.xz,.zst,.gz}; do
			[[ -e $OWN_MODULES/$try ]] || continue
			printf '%s\n' "$try"
			break
		done
	done
}

# own_complete: whether the profile is of what there is now.
own_complete()
{
	[[ -e $PROFILE/state && $(<"$PROFILE/state") == "$OWN_STATE" ]]
}

# own_locate: what kernel_locate finds in packages.
own_locate()
{
	stage_doing "$OWN_SOURCE"
	KERNEL_VERSION=-
	K_IMAGE=$OWN_VMLINUX
	K_CONFIG=$OWN_CONFIG
}

# own_shipped_files: vmlinux and the modules may be large, and stay where they are.
own_shipped_files()
{
	local to=$PROFILE_TMP lost file
	{
		ln -s "$OWN_VMLINUX" "$to/vmlinuz" && cp "$OWN_CONFIG" "$to/config" && cp "$OWN_SYMVERS" "$to/Module.symvers" &&
		mkdir "$to/modules"
	} 2>>"$LOG" || profile_failed "what belongs to $OWN_VMLINUX cannot be copied"
	own_modules_list | while read -r file; do
		mkdir -p "$to/modules/$(dirname "$file")"
		ln -s "$OWN_MODULES/$file" "$to/modules/$file"
	done
	profile_symtab
	lost=$(awk -F '\t' '
		NR == FNR { if ($1 == "sym") known[$4] = 1; next }
		$3 == "vmlinux" && !($2 in known) { print $2; exit }' "$to/symtab" "$to/Module.symvers")
	[[ -z $lost ]] ||
		die "$OWN_SYMVERS: lists $lost, which $OWN_VMLINUX does not have; both must be of one build: run make there"
}

# own_copy: the source, without anything that was built. What names don't tell, the kernel's own rule knows.
own_copy()
{
	local src=$PROFILE_TMP/src
	stage_doing "copying the source"
	mkdir "$src"
	job own_copy_files "$src" 2>>"$LOG" || profile_failed "$OWN_SOURCE: cannot be copied"
	chmod -R u+w "$src"
	[[ $(own_state) == "$OWN_STATE" ]] || die "$OWN_SOURCE: was changed while it was copied; run again when nobody works on it"
	# A tree may lack directories that this rule goes to.
	own_make -k mrproper || log "make mrproper: exit status $?"
}

own_copy_files()
{
	own_files -print0 | (cd "$OWN_SOURCE" && xargs -0 -r cp --parents -P --preserve=mode,timestamps -t "$1" --)
}

# own_make GOAL...: in the copy.
own_make()
{
	local status=0
	profile_run_make -j"$JOBS" "$@" >>"$LOG" 2>"$WORKDIR/make.err" || status=$?
	cat "$WORKDIR/make.err" >>"$LOG"
	return "$status"
}

own_reason()
{
	grep -m 1 -E 'error|Error|not found|\*\*\*' "$WORKDIR/make.err" || printf 'the log has what it says\n'
}

# own_prepare: generated headers and build tools. Make asks the tools that are here what they can, and drops what
# they cannot: the configuration must be the same afterwards, but for their versions. What it says of the compiler of Rust, which
# may be there without being used, is of no matter to C; CONFIG_RUST is looked at like any other option.
own_prepare()
{
	local src=$PROFILE_TMP/src differ names n
	local versions='^CONFIG_(CC_VERSION_TEXT|(GCC|CLANG|AS|LD|LLD|PAHOLE)_VERSION|BINDGEN_VERSION_TEXT|RUSTC_[A-Z0-9_]+|RUST_IS_AVAILABLE)='
	stage_doing "generating headers and build tools"
	{ cp "$OWN_CONFIG" "$src/.config" && chmod u+w "$src/.config"; } 2>>"$LOG" || profile_failed "$OWN_CONFIG: cannot be copied"
	own_make olddefconfig || profile_failed "$OWN_CONFIG: is no configuration of $OWN_SOURCE: $(own_reason)"
	differ=$(config_differences "$OWN_CONFIG" "$src/.config" "$versions")
	if [[ -n $differ ]]; then
		n=$(wc -l <<<"$differ")
		names=$(head -n 8 <<<"$differ" | paste -s -d ' ')
		((n <= 8)) || names+=" and $((n - 8)) more"
		die "$OWN_CONFIG: becomes another configuration in $OWN_SOURCE, with the tools that are here: $names; it is of another source, or a tool of the build (compiler, binutils, pahole) is missing here or has another version"
	fi
	own_make modules_prepare || profile_failed "$OWN_SOURCE: 'make modules_prepare' fails in a copy: $(own_reason)"
	cp "$OWN_SYMVERS" "$src/Module.symvers" 2>>"$LOG" || profile_failed "$OWN_SYMVERS: cannot be copied"
}

# own_module_flags: of a kernel without modules, make is asked about one that does not exist. As a part of the source: with M=,
# newer kernels go to another directory.
own_module_flags()
{
	local probe=$PROFILE_TMP/src/kpatch-probe
	mkdir "$probe"
	printf 'obj-m := kpatch_probe.o\n' >"$probe/Kbuild"
	: >"$probe/kpatch_probe.c"
	profile_make_goal "kpatch:
	+\$(MAKE) \$(build)=kpatch-probe need-modorder=1" -n -k -j1 KBUILD_MODULES=1 >"$WORKDIR/probe.out" 2>>"$LOG" ||
		log "make -n: exit status $?"
	rm -r "$probe"
	mkdir "$WORKDIR/probe"
	plan_parse "$WORKDIR/probe.out" "$WORKDIR/probe" | plan_objtool | module_flags - ||
		profile_failed "make does not say how a module is compiled for $RELEASE"
}

# own_structs: sizes of structures, which are in the image only if it has type information. What a kernel lacks has none.
own_structs()
{
	local pair flags objtool size probe=$WORKDIR/struct
	! grep -q '^struct	' "$PROFILE_TMP/symtab" || return 0
	IFS=$'\t' read -r flags objtool <"$PROFILE_TMP/module-flags"
	for pair in alt_instr:asm/alternative.h bug_entry:linux/bug.h exception_table_entry:asm/extable.h jump_entry:linux/jump_label.h \
		orc_entry:asm/orc_types.h paravirt_patch_site:asm/paravirt_types.h static_call_site:linux/static_call_types.h; do
		printf '#include <linux/module.h>\n#include <%s>\nchar kpatch_size[sizeof(struct %s)];\n' "${pair#*:}" "${pair%%:*}" >"$probe.c"
		plan_command "$PROFILE_TMP/src" "$flags -c -o '$probe.o' '$probe.c'" "$LOG" || continue
		size=$(nm -S "$probe.o" | awk '$4 == "kpatch_size" { print $2 }')
		[[ -z $size ]] || printf 'struct\t%s\t%d\n' "${pair%%:*}" "$((16#$size))"
	done >"$PROFILE_TMP/structs"
	cat "$PROFILE_TMP/structs" >>"$PROFILE_TMP/symtab"
	rm "$PROFILE_TMP/structs"
}

# own_running_check: another build can have the release of the one that runs; the build ID tells.
own_running_check()
{
	local id notes
	((!OWN_VMLINUX_GIVEN)) || return 0
	id=$("$(tool kpatch-image)" build-id "$OWN_VMLINUX" 2>>"$LOG") || id=
	notes=$(running_notes)
	[[ -z $id || -z $notes || $notes == *"$id"* ]] ||
		die "$OWN_VMLINUX: is not the $RELEASE that runs, but another build; boot this one, or give what runs, or what is to be patched elsewhere, with -v"
}

# own_explain: if a proof has failed, what that comes from most of the time.
own_explain()
{
	local n first
	own_wanted && grep -q $'^error\tproof\t' "$WORKDIR/findings" || return 0
	own_files -newer "$OWN_VMLINUX" -printf '%P\n' | sort >"$WORKDIR/newer"
	n=$(wc -l <"$WORKDIR/newer")
	if ((n)); then
		first=$(comm -12 <(printf '%s\n' "${OBJ_FILE[@]}" | sort -u) "$WORKDIR/newer" | sed -n 1p)
		: "${first:=$(sed -n 1p "$WORKDIR/newer")}"
		note "$OWN_SOURCE: $n $(plural "$n" file) $( ((n == 1)) && printf is || printf are) newer than $OWN_VMLINUX ($first): give the source as it was when that was built, or build, boot and patch a new kernel"
	else
		note "$OWN_VMLINUX is not what $OWN_SOURCE, $OWN_CONFIG and $KERNEL_CC make: look if another version is checked out there now, if the configuration is the kernel's (scripts/extract-ikconfig prints it), and if make was given flags (KCFLAGS) or another compiler"
	fi
}
