# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the stages share these variables
#
# Stage 3: which objects of the kernel does the patch touch? Reads the patches (patches.sh) and the
# profile's plan; applies the patches to copies of the files that they name.

# The objects to compile, sorted, and what the plan says of each.
OBJECTS=()
declare -gA OBJ_SOURCE=() OBJ_MODULES=() OBJ_COMPILE=() OBJ_OBJTOOL=()

REFUSED=0		# something was; the stage goes on to its end to find all that is

PLAN_SOURCES=		# the sources of the plan, a line each, when first asked for

select_objects()
{
	local patch
	stage_begin select
	mkdir -p "$WORKDIR/files/original" "$WORKDIR/files/patched"
	for patch in "${!PATCHES[@]}"; do
		patch_files "$patch"
	done
	if ((${#PATCHED_FILES[@]})); then
		sources_select
		plan_read
	elif ((!REFUSED)); then
		stage_end "nothing to compile"
		note "the patch changes nothing that is compiled"
		exit "$EXIT_UNCHANGED"
	fi
	((!REFUSED)) || exit "$EXIT_REFUSED"
	patches_apply
	if ((${#OBJECTS[@]} == 1)); then
		stage_end "1 object: ${OBJECTS[0]}"
	else
		stage_end "${#OBJECTS[@]} objects of ${#PATCHED_FILES[@]} patched files"
	fi
}

# Files that no build reads. Some of tools/ is compiled into the kernel, too: libbpf's relo_core.c.
is_documentation()
{
	if plan_has_source "$1"; then
		return 1
	fi
	case $1 in
	Documentation/* | LICENSES/* | MAINTAINERS | CREDITS | COPYING | README | .mailmap | .gitignore | \
		*/.gitignore | *.rst | *.txt | tools/* | samples/* | scripts/checkpatch.pl)
		return 0
		;;
	esac
	return 1
}

# file_refusal FILE: sets WHY to the reason if FILE cannot be patched because of where it is or what it is.
file_refusal()
{
	local file=$1
	WHY=
	case $file in
	arch/x86/boot/*)
		WHY="runs before the kernel does; boot a fixed kernel" ;;
	arch/x86/entry/vdso/vma.c | arch/x86/entry/vdso/extable.c | arch/x86/entry/vdso/vdso32-setup.c | \
		arch/x86/realmode/init.c)
		;; # kernel code, in spite of the directory
	arch/x86/entry/vdso/*)
		WHY="is part of the vdso, which runs in user space; boot a fixed kernel" ;;
	arch/x86/purgatory/*)
		WHY="runs between two kernels at kexec; boot a fixed kernel" ;;
	arch/x86/realmode/*)
		WHY="is real-mode code, which livepatch cannot reach; boot a fixed kernel" ;;
	drivers/firmware/efi/libstub/*)
		WHY="is part of the EFI stub, which runs before the kernel; boot a fixed kernel" ;;
	arch/x86/kernel/asm-offsets*.c | kernel/bounds.c)
		WHY="is compiled to make header files, not code; change the code that uses them, or boot a fixed kernel" ;;
	init/version*.c)
		WHY="holds the version strings of one build; there is no code to patch" ;;
	esac
	[[ -z $WHY && ! -e $PROFILE/src/$file ]] && file_unknown "$file"
	[[ -z $WHY ]] || return 0
	case $file in
	*.c)
		;;
	*.h)
		WHY="header files cannot be patched yet; move the change into the .c files that need it" ;;
	*.S | *.s)
		WHY="is assembler code, which livepatch cannot replace; change the C code that calls it" ;;
	*Kconfig* | *Makefile* | *Kbuild* | *.config)
		WHY="changes how the kernel is configured or built; leave it out of the patch" ;;
	*.dts | *.dtsi | *.lds | *.tbl | *.asn1 | *.uc)
		WHY="is turned into code by the build, not compiled; change C code instead" ;;
	*)
		WHY="is not C source; leave it out of the patch" ;;
	esac
}

file_unknown()
{
	case $1 in
	arch/x86/* | arch/Kconfig) ;;
	arch/*/*)
		WHY="belongs to another architecture; leave it out of the patch"
		return
		;;
	esac
	die "$1: no such file in the source of $RELEASE; is the patch for this kernel?"
}

# sources_select: writes the sources of the objects to compile to $WORKDIR/sources. A file that
# is included by others changes their objects; a file that nothing compiles is refused.
sources_select()
{
	local file includer
	local -A found=()
	printf '%s\n' "${!PATCHED_FILES[@]}" | sort >"$WORKDIR/patched-files"
	source_closures "$WORKDIR/patched-files" >"$WORKDIR/closures"
	: >"$WORKDIR/sources"
	while IFS=$'\t' read -r file includer; do
		if [[ $includer == *.h ]]; then
			refused "$file: is included by the header $includer; patches to headers are not supported yet"
			REFUSED=1
			found[$file]=1
		elif plan_has_source "$includer"; then
			printf '%s\n' "$includer" >>"$WORKDIR/sources"
			found[$file]=1
		fi
	done <"$WORKDIR/closures"
	while read -r file; do
		if [[ -z ${found[$file]:-} ]]; then
			refused "$file: is not compiled with the configuration of $RELEASE; leave it out of the patch"
			REFUSED=1
		fi
	done <"$WORKDIR/patched-files"
	sort -u -o "$WORKDIR/sources" "$WORKDIR/sources"
}

plan_has_source()
{
	local newline=$'\n'
	[[ -n $PLAN_SOURCES ]] || PLAN_SOURCES=$newline$(cut -f 2 "$PROFILE/plan")$newline
	[[ $PLAN_SOURCES == *"$newline$1$newline"* ]]
}

# source_closures LIST: for each file in LIST lines "FILE<TAB>INCLUDER", for itself and for every file that includes
# it, at any depth. An #include is compared as a path from the includer's directory, and as a path from
# anywhere (-I): one too many is only an object that turns out to be unchanged.
source_closures()
{
	awk -F '\t' '
		function normal(path)
		{
			while (sub(/(^|\/)\.\//, "/", path))
				;
			while (sub(/[^\/]+\/\.\.\//, "", path))
				;
			return path
		}
		# The list has no tabs.
		NF == 1 { first[++files] = $1; next }
		{
			dir = $1
			if (!sub(/\/[^\/]*$/, "", dir))
				dir = "."
			relative = $2
			while (sub(/^(\.\.\/|\.\/)/, "", relative))
				;
			n++
			includer[n] = $1
			target[n] = normal(dir "/" $2)
			loose[n] = "/" relative
		}
		END {
			for (f = 1; f <= files; f++) {
				queue[1] = first[f]
				last = 1
				seen[first[f]] = f
				for (i = 1; i <= last; i++) {
					print first[f] "\t" queue[i]
					for (k = 1; k <= n; k++) {
						if (seen[includer[k]] == f)
							continue
						path = "/" queue[i]
						tail = substr(path, length(path) - length(loose[k]) + 1)
						# A bare file name is found beside the includer only.
						wide = loose[k] ~ /^\/.*\// && tail == loose[k]
						if (target[k] == queue[i] || wide) {
							seen[includer[k]] = f
							queue[++last] = includer[k]
						}
					}
				}
			}
		}' "$1" "$PROFILE/c-includes"
}

# object_elsewhere OBJECT: where the code of an object of the plan runs, if that is not in the kernel.
# Some sources are compiled twice: lib/cmdline.c for the kernel and for the EFI stub. The plan
# says vmlinux for both, as what is linked from the other copy is data in vmlinux.
object_elsewhere()
{
	case $1 in
	arch/x86/entry/vdso/vma.o | arch/x86/entry/vdso/extable.o | arch/x86/entry/vdso/vdso32-setup.o)
		;;
	arch/x86/entry/vdso/*)		echo "is part of the vdso, which runs in user space" ;;
	arch/x86/purgatory/*)		echo "runs between two kernels at kexec" ;;
	drivers/firmware/efi/libstub/*)	echo "is part of the EFI stub, which runs before the kernel" ;;
	arch/x86/realmode/rm/*)		echo "is real-mode code, which livepatch cannot reach" ;;
	arch/x86/boot/*)		echo "runs before the kernel does" ;;
	esac
}

# plan_read: fills OBJECTS and OBJ_* from the plan, for the sources that were selected.
plan_read()
{
	local object source modules kind compile objtool elsewhere left_out=()
	while IFS=$'\t' read -r object source modules kind compile objtool; do
		elsewhere=$(object_elsewhere "$object")
		if [[ -n $elsewhere ]]; then
			left_out+=("$object" "$source" "$elsewhere")
			continue
		fi
		OBJECTS+=("$object")
		OBJ_SOURCE[$object]=$source
		OBJ_MODULES[$object]=$modules
		OBJ_COMPILE[$object]=$compile
		OBJ_OBJTOOL[$object]=$objtool
		log "object $object of $modules ($kind)"
	done < <(awk -F '\t' 'NR == FNR { wanted[$1] = 1; next } ($2 in wanted)' "$WORKDIR/sources" "$PROFILE/plan")
	set -- "${left_out[@]}"
	while (($#)); do
		if ((${#OBJECTS[@]})); then
			warning "$1: $3; this copy of $2, which does not run in the kernel, is not patched"
		else
			refused "$1: the code of $2 $3; boot a fixed kernel"
			REFUSED=1
		fi
		shift 3
	done
	if ((${#OBJECTS[@]} == 0)); then
		((!REFUSED)) || return 0
		die "internal error: no object was selected"
	fi
}
