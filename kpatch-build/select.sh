# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the stages share these variables
#
# Stage 3: which objects of the kernel does the patch touch? Reads the patches and the profile's
# plan; applies the patches to copies of the files that they name.

# Path of each patched file -> 1. The files lie in $WORKDIR/files/original and $WORKDIR/files/patched.
declare -gA PATCHED_FILES=()
PATCH_NUMBER=()		# one for each patch that was read

# The objects to compile, sorted, and what the plan says of each.
OBJECTS=()
declare -gA OBJ_SOURCE=() OBJ_MODULES=() OBJ_COMPILE=() OBJ_OBJTOOL=()

select_objects()
{
	local patch refusals=0
	stage_begin select
	mkdir -p "$WORKDIR/files/original" "$WORKDIR/files/patched" "$WORKDIR/patches"
	for patch in "${PATCHES[@]}"; do
		patch_files "$patch"
	done
	if ((${#PATCHED_FILES[@]} == 0)); then
		stage_end "nothing to compile"
		note "the patch changes nothing that is compiled"
		exit "$EXIT_UNCHANGED"
	fi
	sources_select || refusals=1
	((refusals == 0)) || exit "$EXIT_REFUSED"
	for patch in "${!PATCHES[@]}"; do
		patch_apply "$patch"
	done
	plan_read
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

# patch_files PATCH: adds the files that it changes, and makes copies of them. What patch applies
# later is $WORKDIR/patches/N, without documentation.
patch_files()
{
	local patch=$1 listed line status file number=${#PATCH_NUMBER[@]} exclude=()
	PATCH_NUMBER+=("$number")
	[[ -s $patch ]] || die "$patch: empty, not a patch"
	if grep -qE '^(GIT binary patch|Binary files .* differ)' "$patch"; then
		refuse "$patch: changes a binary file; only C source can be patched"
	fi
	listed=$(lsdiff -s --strip=1 -- "$patch" 2>>"$LOG") ||
		die "$patch: not a patch that can be read; make it with diff -u or git diff"
	if grep -qE '^rename (from|to) ' "$patch"; then
		refuse "$patch: renames a file; patch the file under its old name"
	fi
	if [[ -z $listed ]]; then
		if grep -qE '^(old|new) mode ' "$patch"; then
			return 0
		fi
		die "$patch: changes no file; make it with diff -u or git diff"
	fi
	while read -r line; do
		status=${line%% *}
		file=${line#* }
		if is_documentation "$file"; then
			note "$file: not compiled into the kernel; skipped"
			exclude+=(-x "$file")
			continue
		fi
		if [[ $file == /* || /$file/ == */../* ]]; then
			die "$patch: $file: names a file outside the source tree"
		fi
		case $status in
		+) [[ -e $PROFILE/src/$file ]] ||
			refuse "$file: is a new file; add the code to a file that the kernel already builds" ;;
		-) refuse "$file: is removed; a livepatch cannot take code away" ;;
		esac
		[[ -n ${PATCHED_FILES[$file]:-} ]] && continue
		file_supported "$file" || exit $?
		PATCHED_FILES[$file]=1
		mkdir -p "$WORKDIR/files/original/${file%/*}" "$WORKDIR/files/patched/${file%/*}"
		# Copies, never links: patch writes to one of them.
		cat "$PROFILE/src/$file" >"$WORKDIR/files/original/$file"
		cat "$PROFILE/src/$file" >"$WORKDIR/files/patched/$file" ||
			failed "$WORKDIR" "$WORKDIR: cannot be written to"
	done <<<"$listed"
	if ((${#exclude[@]})); then
		filterdiff -p1 "${exclude[@]}" -- "$patch" >"$WORKDIR/patches/$number"
	else
		cat "$patch" >"$WORKDIR/patches/$number"
	fi
}

# file_supported FILE: refuses what cannot be patched because of where it is or what it is.
file_supported()
{
	local file=$1
	case $file in
	arch/x86/boot/*)
		refuse "$file: runs before the kernel does; boot a fixed kernel" ;;
	arch/x86/entry/vdso/vma.c | arch/x86/entry/vdso/extable.c | arch/x86/entry/vdso/vdso32-setup.c | \
		arch/x86/realmode/init.c)
		;; # kernel code, in spite of the directory
	arch/x86/entry/vdso/*)
		refuse "$file: is part of the vdso, which runs in user space; boot a fixed kernel" ;;
	arch/x86/purgatory/*)
		refuse "$file: runs between two kernels at kexec; boot a fixed kernel" ;;
	arch/x86/realmode/*)
		refuse "$file: is real-mode code, which livepatch cannot reach; boot a fixed kernel" ;;
	drivers/firmware/efi/libstub/*)
		refuse "$file: is part of the EFI stub, which runs before the kernel; boot a fixed kernel" ;;
	arch/x86/kernel/asm-offsets*.c | kernel/bounds.c)
		refuse "$file: is compiled to make header files, not code; change the code that uses them, or boot a fixed kernel" ;;
	init/version*.c)
		refuse "$file: holds the version strings of one build; there is no code to patch" ;;
	esac
	[[ -e $PROFILE/src/$file ]] || file_unknown "$file"
	case $file in
	*.c)
		;;
	*.h)
		refuse "$file: header files cannot be patched yet; move the change into the .c files that need it" ;;
	*.S | *.s)
		refuse "$file: is assembler code, which livepatch cannot replace; change the C code that calls it" ;;
	*Kconfig* | *Makefile* | *Kbuild* | *.config)
		refuse "$file: changes how the kernel is configured or built; leave it out of the patch" ;;
	*.dts | *.dtsi | *.lds | *.tbl | *.asn1 | *.uc)
		refuse "$file: is turned into code by the build, not compiled; change C code instead" ;;
	*)
		refuse "$file: is not C source; leave it out of the patch" ;;
	esac
}

file_unknown()
{
	case $1 in
	arch/x86/* | arch/Kconfig) ;;
	arch/*/*)
		refuse "$1: belongs to another architecture; leave it out of the patch" ;;
	esac
	if [[ -e $PROFILE/src/${1#*/} && $1 == */* ]]; then
		die "$1: no such file in the source of $RELEASE; the patch has one more directory in its paths than 'patch -p1' removes"
	fi
	die "$1: no such file in the source of $RELEASE; is the patch for this kernel, with paths for 'patch -p1'?"
}

# sources_select: writes the sources of the objects to compile to $WORKDIR/sources. A file that
# is included by others changes their objects; a file that nothing compiles is an error.
sources_select()
{
	local file status=0 found
	: >"$WORKDIR/sources"
	while read -r file; do
		source_closure "$file" >"$WORKDIR/closure"
		found=0
		while read -r includer; do
			if [[ $includer == *.h ]]; then
				refused "$file: is included by the header $includer; patches to headers are not supported yet"
				status=1
				found=1
			elif plan_has_source "$includer"; then
				printf '%s\n' "$includer" >>"$WORKDIR/sources"
				found=1
			fi
		done <"$WORKDIR/closure"
		if ((!found)); then
			refused "$file: is not compiled with the configuration of $RELEASE; leave it out of the patch"
			status=1
		fi
	done < <(printf '%s\n' "${!PATCHED_FILES[@]}" | sort)
	sort -u -o "$WORKDIR/sources" "$WORKDIR/sources"
	return "$status"
}

plan_has_source()
{
	if [[ ! -e $WORKDIR/plan-sources ]]; then
		cut -f 2 "$PROFILE/plan" | sort -u >"$WORKDIR/plan-sources"
	fi
	grep -qxF -e "$1" "$WORKDIR/plan-sources"
}

# source_closure FILE: FILE and every file that includes it, at any depth. An #include is compared
# as a path from the includer's directory, and as a path from anywhere (-I): one too many is only
# an object that turns out to be unchanged.
source_closure()
{
	awk -F '\t' -v first="$1" '
		function normal(path)
		{
			while (sub(/(^|\/)\.\//, "/", path))
				;
			while (sub(/[^\/]+\/\.\.\//, "", path))
				;
			return path
		}
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
			queue[1] = first
			last = 1
			seen[first] = 1
			for (i = 1; i <= last; i++) {
				print queue[i]
				for (k = 1; k <= n; k++) {
					if (includer[k] in seen)
						continue
					path = "/" queue[i]
					tail = substr(path, length(path) - length(loose[k]) + 1)
					# A bare file name is found beside the includer only.
					wide = loose[k] ~ /^\/.*\// && tail == loose[k]
					if (target[k] == queue[i] || wide) {
						seen[includer[k]] = 1
						queue[++last] = includer[k]
					}
				}
			}
		}' "$PROFILE/c-includes"
}

# patch_apply NUMBER: to the copies in files/patched, which is a directory of nothing else.
patch_apply()
{
	local name=${PATCHES[$1]} reason
	if ! job_logged patch -p1 -F0 -N -s --no-backup-if-mismatch -r - -d "$WORKDIR/files/patched" \
		-i "$WORKDIR/patches/$1" ||
		[[ -n $(find "$WORKDIR/files/patched" -name '*.rej') ]]; then
		reason=$(patch_reason "$WORKDIR/files/patched" "$WORKDIR/patches/$1")
		failed "$WORKDIR" "$name: does not apply to the source of $RELEASE: $reason"
	fi
}

# patch_reason DIR PATCH: what patch said, in one line. Asked again, as its quiet mode names no file
# before the hunk.
patch_reason()
{
	{ patch -p1 -F0 -N --dry-run -r - -d "$1" -i "$2" 2>&1 </dev/null || true; } | awk '
		/^(checking|patching) file / { file = $3; next }
		/^patch: \*\*\*\* / { sub(/^patch: \*+ /, ""); print; found = 1; exit }
		/^Hunk #[0-9]+ FAILED/ {
			sub(/\.$/, ""); print file ": Hunk " $2 " does not match at line " $NF
			found = 1; exit
		}
		/[Rr]eversed \(or previously applied\)/ { print file ": is already applied"; found = 1; exit }
		/^can.t find file to patch/ { print; found = 1; exit }
		{ last = $0 }
		END { if (!found) print last }'
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
		fi
		shift 3
	done
	if ((${#OBJECTS[@]} == 0)); then
		((${#left_out[@]} == 0)) || exit "$EXIT_REFUSED"
		die "internal error: no object was selected"
	fi
}
