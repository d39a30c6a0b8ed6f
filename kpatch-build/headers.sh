# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the stages share these variables
#
# Stage 3, second part: patched header files. Which objects do they change, without compiling the kernel?
#
# 1. The include graph of the profile says which objects may see a changed header (includers.awk): all that do, and some
#    more.
# 2. Each of them is preprocessed, with its own command, with the original and with the patched files. What has the same text
#    has the same code; so has what differs only in declarations that it does not use (compare-units/).
# 3. The others are compiled, and are objects of the patch as if their .c files had been patched. Those whose
#    objects are equal are dropped there (compile.sh).
#
# What is not an object of the running kernel's C code can see a change, too, and is not patched: assembler files, the vdso,
# linker scripts, files that make headers. If such a thing would change, the patch is refused.

# headers_select: adds to OBJECTS.
headers_select()
{
	local affected seen
	[[ -s $WORKDIR/seeds ]] || return 0
	stage_begin headers "looking for what includes them"
	files_pad
	headers_links
	headers_generate
	((!REFUSED)) || exit "$EXIT_REFUSED"
	headers_changed
	: >"$WORKDIR/seen"
	[[ ! -s $WORKDIR/seeds ]] || headers_find
	seen=$(wc -l <"$WORKDIR/seen")
	if ((seen > 500)); then
		note "$(headers_title): $seen objects see the change; each is preprocessed, and compiled if its code may change"
	fi
	trees_make
	: >"$WORKDIR/verdicts"
	pool header_compare "$WORKDIR/seen" || exit
	sort -o "$WORKDIR/verdicts" "$WORKDIR/verdicts"
	verdicts_refuse
	((!REFUSED)) || exit "$EXIT_REFUSED"
	awk -F '\t' '$1 == "changed" { print $2 }' "$WORKDIR/verdicts" >"$WORKDIR/affected"
	affected=$(wc -l <"$WORKDIR/affected")
	plan_read objects "$WORKDIR/affected"
	stage_end "$affected of $seen $(plural "$seen" object) that see the change may differ"
	if ((${#OBJECTS[@]} == 0)); then
		unchanged "the patch changes nothing in the compiled code"
	fi
}

headers_title()
{
	local file count
	count=$(wc -l <"$WORKDIR/seeds")
	IFS=$'\t' read -r file _ <"$WORKDIR/seeds"
	((count == 1)) && printf '%s\n' "$file" || printf '%s and %d more\n' "$file" $((count - 1))
}

# headers_links: a header that a symbolic link leads to has another name, which stands for the patched one, too.
headers_links()
{
	local link file side
	while read -r link; do
		file=$(realpath --relative-to="$PROFILE/src" "$PROFILE/src/$link")
		[[ -n ${PATCHED_FILES[$file]:-} ]] || continue
		for side in original patched; do
			mkdir -p "$WORKDIR/files/$side/${link%/*}"
			cp "$WORKDIR/files/$side/$file" "$WORKDIR/files/$side/$link"
		done
		PATCHED_FILES+=(["$link"]=1)
		HEADER_LINKS["$link"]=1
		printf '%s\n' "$link" >>"$WORKDIR/seeds"
	done < <(cd "$PROFILE/src" && find include arch/x86 -type l)
}

# headers_changed: takes those headers from the seeds of which only comments differ, each line being where it was.
headers_changed()
{
	local file new side
	while IFS=$'\t' read -r file new; do
		if [[ -z $new && -e $WORKDIR/files/original/$file ]]; then
			for side in original patched; do
				awk -f "$STAGES/comments.awk" "$WORKDIR/files/$side/$file" >"$WORKDIR/bare.$side" ||
					cp "$WORKDIR/files/$side/$file" "$WORKDIR/bare.$side"
			done
			if cmp -s "$WORKDIR/bare.original" "$WORKDIR/bare.patched"; then
				log "$file: only comments change"
				continue
			fi
		fi
		printf '%s\n' "$file${new:+$'\t'new}"
	done <"$WORKDIR/seeds" >"$WORKDIR/seeds.changed"
	mv "$WORKDIR/seeds.changed" "$WORKDIR/seeds"
}

declare -gA HEADER_LINKS=()	# symbolic links to patched headers -> 1

# headers_find: writes to $WORKDIR/seen what has to be looked at, lines of
#	ROLE OBJECT KIND SOURCE COMPILE
# ROLE: kernel, or why it cannot be patched: elsewhere, offsets, script.
headers_find()
{
	local what role object file source modules kind compile
	headers_asked_for >"$WORKDIR/asked-for"
	awk -f "$STAGES/paths.awk" -f "$STAGES/includers.awk" "$WORKDIR/seeds" \
		<(cat "$WORKDIR/asked-for" "$PROFILE/includes") "$PROFILE/plan" \
		>"$WORKDIR/includers" || failed "$WORKDIR" "the include graph of $RELEASE cannot be read"
	# How the preprocessor names a file of one of these names in its output.
	printf '%s\n' "${!PATCHED_FILES[@]}" | sed 's|.*/||; s|[][().*+?^${}|\\]|\\&|g' | sort -u | paste -s -d '|' |
		sed 's|.*|^# [0-9]+ "([^"]*/)?(&)"|' >"$WORKDIR/changed-names"
	while IFS=$'\t' read -r what object file source modules kind compile; do
		case $what in
		dir)
			printf '%s\n' "$object" >>"$WORKDIR/real-dirs" ;;
		unseen)
			[[ -n ${CREATED_FILES[$object]:-}${HEADER_LINKS[$object]:-} ]] ||
				refuse_file "$object" "is included by nothing that is compiled with the configuration of $RELEASE; leave it out of the patch" ;;
		source)
			unplanned_source "$object" ;;
		object)
			[[ -z ${OBJ_SOURCE[$object]:-} ]] || continue
			role=kernel
			[[ -z $(object_elsewhere "$object") ]] || role=elsewhere
			[[ -e $PROFILE/src/$source ]] || stand_in "$source"
			printf '%s\t%s\t%s\t%s\t%s\n' "$role" "$object" "$kind" "$source" "$compile" >>"$WORKDIR/seen" ;;
		esac
	done <"$WORKDIR/includers"
	((!REFUSED)) || exit "$EXIT_REFUSED"
}

# headers_asked_for: edges to new headers from the files that include them if they are there, with __has_include. The profile's
# graph knows of nothing that is not in its source.
headers_asked_for()
{
	local file new
	grep -q $'\tnew$' "$WORKDIR/seeds" || return 0
	(cd "$PROFILE/src" && grep -rsHF __has_include --include='*.[chS]' .) >"$WORKDIR/has-include" || true
	while IFS=$'\t' read -r file new; do
		[[ -n $new ]] || continue
		awk -v OFS='\t' -v file="$file" -v name="${file##*/}" '
			index($0, name) { sub(/:.*/, ""); print substr($0, 3), file }' "$WORKDIR/has-include"
	done <"$WORKDIR/seeds" | sort -u
}

# stand_in SOURCE: one that vdso2c makes, from what it includes and uses. Its object is data, and cannot be patched.
stand_in()
{
	local side
	[[ $1 == arch/x86/entry/vdso/vdso-image-*.c ]] || return 0
	for side in original patched; do
		mkdir -p "$WORKDIR/files/$side/${1%/*}"
		{
			printf "#include <%s>\n" linux/linkage.h linux/init.h asm/page_types.h asm/vdso.h
			printf "struct vdso_image image;\nunsigned char raw_data[PAGE_SIZE];\n"
		} >"$WORKDIR/files/$side/$1"
	done
}

# unplanned_source FILE: is not in the plan, because it does not become an object, and can see a change nevertheless. Its
# flags are those of an object of its directory.
unplanned_source()
{
	local role kind compile
	case $1 in
	*.c)
		role=offsets kind=c ;;
	*.S)
		role=script kind=S ;;
	esac
	compile=$(awk -F '\t' -v dir="${1%/*}/" -v kind="$kind" '
		$4 != kind || $3 ~ /:/ { next }
		any == "" { any = $5 }
		substr($2, 1, length(dir)) == dir { found = $5; exit }
		END { print found != "" ? found : any }' "$PROFILE/plan")
	[[ $role != script ]] || compile+=' -Ux86 -D__ASSEMBLY__ -DLINKER_SCRIPT'
	printf '%s\t%s\t%s\t%s\t%s\n' "$role" "$1" "$kind" "$1" "$compile" >>"$WORKDIR/seen"
}

# headers_generate: scripts and programs of the build make files from the names in some headers, and from their comments: of
# a flag of the processor or an object identifier, these hold what the file gets.
headers_generate()
{
	local file pattern what
	while IFS=$'\t' read -r file _; do
		pattern=
		case $file in
		arch/x86/include/asm/cpufeatures.h) pattern='X86_(FEATURE|BUG)' what=arch/x86/kernel/cpu/capflags.c ;;
		arch/x86/include/asm/vmxfeatures.h) pattern=VMX_FEATURE what=arch/x86/kernel/cpu/capflags.c ;;
		include/xen/interface/xen.h | include/xen/interface/xen-mca.h)
			pattern=__HYPERVISOR_ what=arch/x86/include/generated/asm/xen-hypercalls.h ;;
		include/linux/oid_registry.h) pattern=OID_ what=lib/oid_registry_data.c ;;
		include/uapi/linux/capability.h) pattern='^#define[[:blank:]]+CAP_' what=security/apparmor/capability_names.h ;;
		include/linux/socket.h) pattern='AF_|PF_' what=security/apparmor/net_names.h ;;
		include/linux/net.h) pattern=SOCK_ what=security/apparmor/net_names.h ;;
		include/uapi/asm-generic/resource.h) pattern=RLIM what=security/apparmor/rlim_names.h ;;
		include/scsi/scsi_devinfo.h) pattern=BLIST_ what=drivers/scsi/scsi_devinfo_tbl.c ;;
		include/linux/crc32poly.h | lib/crc32defs.h) pattern=CRC what=lib/crc32table.h ;;
		include/linux/asn1_ber_bytecode.h) pattern=ASN1 what='*.asn1.c' ;;
		security/selinux/include/classmap.h | security/selinux/include/initial_sid_to_string.h)
			pattern=. what=security/selinux/flask.h ;;
		esac
		[[ -z $pattern ]] || cmp -s <(grep -E "$pattern" "$WORKDIR/files/original/$file") \
			<(grep -E "$pattern" "$WORKDIR/files/patched/$file") ||
			refuse_file "$file" "the build makes $what from it, and the change would change that; boot a fixed kernel"
	done <"$WORKDIR/seeds"
}

# header_compare ROLE OBJECT KIND SOURCE COMPILE: runs beside others. Appends to $WORKDIR/verdicts a line "VERDICT OBJECT ROLE
# KIND", VERDICT being same, changed, or unknown.
header_compare()
{
	local role=$1 object=$2 kind=$3 source=$4 compile=$5 out=$WORKDIR/cpp/$2 verdict=changed
	mkdir -p "${out%/*}"
	if ! preprocess original "$object" "$source" "$compile"; then
		! compiler_stopped "$out.log" || compile_failed original "$object" "$out.log"
		verdict=unknown
	elif ! changed_opened "$out.original.i" && ((${#CREATED_FILES[@]} == 0)); then
		verdict=same
	elif ! preprocess patched "$object" "$source" "$compile"; then
		compile_failed patched "$object" "$out.log"
	else
		changed_opened_patched "$out.patched.i" "$object"
		! units_equal "$kind" "$compile" "$out" || verdict=same
	fi
	if [[ $verdict == changed ]]; then
		if [[ $role != kernel || $kind == S ]]; then
			verdict=$(object_compare "$role" "$source" "$compile" "$out") || exit
		elif [[ ! -e $PROFILE/src/$source ]] || grep -qF "\"$WORKDIR/missing/" "$out.original.i"; then
			verdict=unknown
		fi
	fi
	# The compiler need not preprocess it again. A text has some megabytes.
	[[ $verdict == changed && $role == kernel && $kind == c && $(grep -c ^changed "$WORKDIR/verdicts") -lt 50 ]] ||
		rm -f "$out.original.i" "$out.patched.i"
	# Of a text the compiler does not say again what the preprocessor said.
	[[ ! -e $out.patched.said ]] || rm -f "$out.patched.i" "$out.patched.said"
	rm -f "$out.log"
	printf '%s\t%s\t%s\t%s\n' "$verdict" "$object" "$role" "$kind" >>"$WORKDIR/verdicts"
}

# preprocess SIDE OBJECT SOURCE COMPILE: into $WORKDIR/cpp/OBJECT.SIDE. Of a file that only a build would generate, an empty
# one takes the place: whatever is in it, it is the same for both sides.
preprocess()
{
	local side=$1 out=$WORKDIR/cpp/$2 flags missing i
	# With -g it would name the directory, and the text be a new one for ccache in each run.
	flags_without_debug "$4"
	flags="$FLAGS -I'$WORKDIR/missing'"
	[[ $side != patched ]] || flags+=" -I'$INCLUDE'"
	for ((i = 0; i < 5; i++)); do
		: >"$out.log"
		if plan_run "$WORKDIR/tree-$side" "$flags -E -o '$out.$side.i' '$3'" "$out.log"; then
			[[ $side == original || ! -s $out.log ]] || : >"$out.$side.said"
			return 0
		fi
		missing=$(sed -nE 's/.*fatal error: ([A-Za-z0-9_][A-Za-z0-9_./-]*): No such file or directory$/\1/p' "$out.log")
		[[ $side == original && -n $missing && $missing != *..* ]] || break
		mkdir -p "$(dirname "$WORKDIR/missing/$missing")"
		: >"$WORKDIR/missing/$missing"
	done
	printf '+ %s\n' "$flags -E '$3'" >>"$LOG"
	cat "$out.log" >>"$LOG"
	return 1
}

# changed_opened TEXT: whether a changed file can be among those that the preprocessor opened: it names each.
changed_opened()
{
	grep -qE "$(<"$WORKDIR/changed-names")" "$1"
}

# changed_opened_patched TEXT OBJECT: the patched file must have been found, and not, by some path, the one in the profile.
changed_opened_patched()
{
	local name
	while read -r name; do
		path_check "$2" "$WORKDIR/tree-patched" "$name"
	done < <(grep -E "$(<"$WORKDIR/changed-names")" "$1" | cut -d '"' -f 2 | sort -u)
}

# units_equal KIND COMPILE OUT: whether both texts are the same for the compiler. Some options make it keep what is not used.
units_equal()
{
	local status=0
	! cmp -s "$3.original.i" "$3.patched.i" || return 0
	if [[ $1 == S ]]; then
		cmp -s <(text_bare "$3.original.i") <(text_bare "$3.patched.i")
		return
	fi
	[[ " $2 " != *" -fkeep-"* && " $2 " != *" -fno-toplevel-reorder "* ]] || return 1
	"$(tool compare-units)" --report "$3.original.i" "$3.patched.i" >"$3.log" 2>&1 || status=$?
	case $status in
	0)
		sed "s|^|${3#"$WORKDIR/cpp/"}: a change of |" "$3.log" >>"$LOG" ;;
	3) return 0 ;;
	*) die "compare-units: ended with status $status on ${3#"$WORKDIR/cpp/"}: $(<"$3.log")" ;;
	esac
	return 1
}

# text_bare TEXT: of an assembler file or a linker script, without line markers and with single blanks.
text_bare()
{
	grep -v '^# [0-9]' "$1" | tr -s ' \t\n' ' '
}

# object_compare ROLE SOURCE COMPILE OUT: of what cannot be patched, prints the verdict that its code gives.
object_compare()
{
	local role=$1 out=$4 side action=-c
	[[ $role != script ]] || { echo changed; return 0; }
	[[ $role != offsets ]] || action=-S
	flags_without_debug "$3"
	for side in original patched; do
		: >"$out.log"
		if ! plan_command "$WORKDIR/tree-$side" "$FLAGS -I'$WORKDIR/missing' $action -o '$out.$side.o' '$2'" "$out.log"; then
			cat "$out.log" >>"$LOG"
			! compiler_stopped "$out.log" || compile_failed "$side" "$2" "$out.log"
			[[ $side == original ]] || compile_failed patched "$2" "$out.log"
			echo unknown
			return 0
		fi
		# asm-offsets.c and the like: lines of .ascii "->NAME $VALUE ...".
		[[ $role != offsets ]] || sed -i '/->/!d' "$out.$side.o"
		[[ $role == offsets ]] || objcopy --strip-debug "$out.$side.o" 2>>"$LOG" || failed "$WORKDIR" "$2: objcopy failed"
	done
	if cmp -s "$out.original.o" "$out.patched.o"; then
		echo same
	else
		echo changed
	fi
	rm -f "$out.original.o" "$out.patched.o"
}


# verdicts_refuse: what would change and is not patched, and what cannot be told.
verdicts_refuse()
{
	local verdict object role kind
	while IFS=$'\t' read -r verdict object role kind; do
		case $verdict-$role in
		same-*)
			continue ;;
		unknown-*)
			refuse_file "$object" "sees the change, and cannot be compiled here, as a build would generate a part of it; boot a fixed kernel" ;;
		*-elsewhere)
			refuse_file "$object" "is changed by what it includes, and $(object_elsewhere "$object"); boot a fixed kernel" ;;
		*-offsets)
			refuse_file "$object" "is changed by what it includes, and is compiled to make header files, not code; boot a fixed kernel" ;;
		*-script)
			refuse_file "$object" "is changed by what it includes, and says how the kernel is linked; boot a fixed kernel" ;;
		*)
			[[ $kind != S ]] ||
				refuse_file "$object" "is changed by what it includes, and is assembler code, which livepatch cannot replace; boot a fixed kernel" ;;
		esac
	done <"$WORKDIR/verdicts"
}
