# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2153 # the stages share these variables
#
# Stage 5: what differs between the original and the patched objects, once for each kernel object
# (vmlinux or a module) that an object is part of. Writes $WORKDIR/diff/TARGET/OBJECT and a
# report beside it.

DIFFED=()		# "TARGET OBJECT" of what has changes
declare -gA IMAGES=() SYMTABS=() NEEDS=()	# of each target, see target_read

diff_objects()
{
	local object target status=0 code total=0 targets changed
	stage_begin diff
	for object in "${OBJECTS[@]}"; do
		if [[ ${OBJ_MODULES[$object]} == '?' ]]; then
			die "$object: it is not known which module it belongs to"
		fi
		IFS=: read -r -a targets <<<"${OBJ_MODULES[$object]}"
		for target in "${targets[@]}"; do
			printf '%s\t%s\n' "$target" "$object"
			total=$((total + 1))
		done
	done >"$WORKDIR/targets"
	sort -o "$WORKDIR/targets" "$WORKDIR/targets"
	total=$(wc -l <"$WORKDIR/targets")
	mkdir -p "$WORKDIR/diff"
	added_globals
	vmlinux_symtab

	for target in $(cut -f 1 "$WORKDIR/targets" | uniq); do
		target_read "$target"
	done
	pool diff_run "$WORKDIR/targets" || exit
	while IFS=$'\t' read -r target object; do
		code=0
		diff_one "$target" "$object" || code=$?
		case $code in
		0) DIFFED+=("$target $object") ;;
		3) log "$object in $target: unchanged" ;;
		2) ((status == 1)) || status=2 ;;
		*) status=1 ;;
		esac
	done <"$WORKDIR/targets"

	if ((status)); then
		own_explain
		exit "$status"
	fi
	if ((${#DIFFED[@]} == 0)); then
		stage_end "no object changed"
		unchanged "the patch changes nothing in the compiled code"
	fi
	if ! reports | awk -F '\t' '$1 == "function" || $1 == "callback" { found = 1 } END { exit !found }'; then
		stage_end "no function changed"
		unchanged "the patch only adds code, and nothing in the running kernel would call it"
	fi
	added_check
	unused_layouts
	changed=$(reports | awk -F '\t' '$1 == "function"' | wc -l)
	stage_end "$changed $(plural "$changed" function) changed in ${#DIFFED[@]} of $total $(plural "$total" object)"
}

plural()
{
	(($1 == 1)) && printf '%s\n' "$2" || printf '%ss\n' "$2"
}

# unused_layouts: a type that was to be allowed to change, and does not, may be the wrong name.
unused_layouts()
{
	local type
	for type in "${ALLOWED_LAYOUTS[@]}"; do
		reports | awk -F '\t' -v type="$type" '$1 == "layout" && $2 == type { found = 1 } END { exit !found }' ||
			warning "--allow-layout $type: no type of this name changes in what is replaced, so that there is nothing to allow"
	done
}

# The reports of all objects, in the order of the objects.
reports()
{
	local pair
	for pair in "${DIFFED[@]}"; do
		cat "$WORKDIR/diff/${pair% *}/${pair#* }.report"
	done
}

# target_read TARGET: its place in IMAGES is set to the kernel object as shipped, in SYMTABS to its symbols, and in
# NEEDS to the modules that it depends on.
target_read()
{
	local needed
	if [[ $1 == vmlinux ]]; then
		IMAGES[vmlinux]=${VMLINUX:-$PROFILE/vmlinuz}
		SYMTABS[vmlinux]=$VMLINUX_SYMTAB
		NEEDS[vmlinux]=
		return
	fi
	IMAGES[$1]=$(module_file "$1")
	SYMTABS[$1]=$WORKDIR/symtabs/$1
	[[ -n ${IMAGES[$1]} ]] || module_missing "$1"
	NEEDS[$1]=$(modinfo -F depends "${IMAGES[$1]}" | tr - _) ||
		failed "$WORKDIR" "${IMAGES[$1]}: its dependencies cannot be read"
	module_symtab "$1"
	while read -r -d , needed; do
		module_symtab "$needed"
	done <<<"${NEEDS[$1]:+${NEEDS[$1]},}"
}

# vmlinux_symtab: sets VMLINUX_SYMTAB, the symbols of the kernel itself: of the shipped image, or of the
# one that the user gave.
vmlinux_symtab()
{
	local release text
	VMLINUX_SYMTAB=$PROFILE/symtab
	[[ -n $VMLINUX ]] || return 0
	release=$("$(tool kpatch-image)" release "$VMLINUX") || die "$VMLINUX: not the image of a kernel"
	[[ $release == "$RELEASE" ]] || die "$VMLINUX: is of release $release, not of $RELEASE; give the image of $RELEASE or another -a"
	text=$("$(tool kpatch-image)" compiler "$VMLINUX" 2>>"$LOG") || text=
	if [[ -n $text ]]; then
		compiler_supported "$VMLINUX" "$text"
		compiler_check "$VMLINUX" "$text"
	fi
	VMLINUX_SYMTAB=$WORKDIR/symtab-vmlinux
	symtab_read "$VMLINUX" "$VMLINUX_SYMTAB" || failed "$WORKDIR" "$VMLINUX: its symbols cannot be read"
}

# modules_origin: what should hold the modules.
modules_origin()
{
	if own_wanted; then
		printf '%s\n' "${OWN_MODULES:-${OWN_VMLINUX%/*}}"
	else
		printf 'linux-image-%s\n' "$RELEASE"
	fi
}

# module_missing NAME
module_missing()
{
	! oot_wanted ||
		die "$1: neither $(modules_origin) nor a directory where modules are built has it, and $OOT_NAME depends on it; give the Module.symvers of its build, with the module beside it, in KBUILD_EXTRA_SYMBOLS"
	die "$1: $(modules_origin) holds no such module"
}

# module_symtab NAME: the symbols of a module as shipped, into $WORKDIR/symtabs/NAME.
module_symtab()
{
	local file table=$WORKDIR/symtabs/$1
	[[ ! -e $table ]] || return 0
	mkdir -p "$WORKDIR/symtabs"
	file=$(module_file "$1")
	[[ -n $file ]] || module_missing "$1"
	symtab_read "$file" "$table" || failed "$WORKDIR" "$file: its symbols cannot be read"
}

# symtab_read IMAGE TABLE: the symbols of a kernel or a module. Why they cannot be read is said, if it was not for want of room.
symtab_read()
{
	local text=$WORKDIR/symtab.text status=0
	job "$(tool kpatch-image)" symtab "$1" >"$2" 2>"$text" || status=$?
	cat "$text" >>"$LOG"
	if ((status)) && ! no_space "${2%/*}"; then
		clear_line
		cat "$text" >&"$STDERR"
	fi
	return "$status"
}

# module_file NAME: a module's file may have dashes where its name has underscores, and be compressed.
module_file()
{
	local file
	if oot_wanted && [[ $1 == "$OOT_NAME" ]]; then
		printf '%s\n' "$OOT_MODULE"
		return
	fi
	file=$(module_find "$1" "$PROFILE/modules")
	if [[ -z $file ]] && oot_wanted; then
		file=$(oot_module_file "$1")
	fi
	printf '%s\n' "$file"
}

# module_find NAME DIRECTORY
module_find()
{
	local file name
	find -H "$2" -name "${1//_/[-_]}.ko*" | sort | while read -r file; do
		name=${file##*/}
		name=${name%%.ko*}
		[[ ${name//-/_} == "$1" ]] || continue
		printf '%s\n' "$file"
		break
	done
}

# added_globals: what each object of the patch newly defines for others, as lines "TARGET OBJECT NAME": in "added" what
# is new, in "made-global" what was static there, which the running kernel has. Each is one call of nm for all objects,
# which prints "FILE:VALUE LETTER NAME".
added_globals()
{
	local side option=
	: >"$WORKDIR/added"
	: >"$WORKDIR/made-global"
	for side in original patched; do
		[[ $side == original ]] || option=-g
		(cd "$WORKDIR/$side" && cut -f 2 "$WORKDIR/targets" | sort -u | tr '\n' '\0' |
			xargs -0 -r nm -A --defined-only ${option:+"$option"} --) >"$WORKDIR/globals-$side" 2>>"$LOG" ||
			failed "$WORKDIR" "the symbols of the compiled objects cannot be read"
	done
	awk -v made="$WORKDIR/made-global" '
		function is_code(letter)
		{
			return letter ~ /[tTW]/
		}

		FILENAME != ARGV[3] {
			file = $1
			sub(/:[^:]*$/, "", file)
			if (FILENAME == ARGV[1]) {
				if ($2 ~ /[A-Zu]/)
					there[file, $3] = 1
				else
					static[file, $3, is_code($2)] = 1
			} else if ((file, $3, is_code($2)) in static) {
				statics[file] = statics[file] " " $3
			} else if (!((file, $3) in there)) {
				names[file] = names[file] " " $3
			}
			next
		}
		{
			n = split(names[$2], name, " ")
			for (i = 1; i <= n; i++)
				print $1, $2, name[i]
			n = split(statics[$2], name, " ")
			for (i = 1; i <= n; i++)
				print $1, $2, name[i] >made
		}' "$WORKDIR/globals-original" "$WORKDIR/globals-patched" "$WORKDIR/targets" >"$WORKDIR/added"
}

# added_check: what the patch adds to one object, and another one refers to, must be in the livepatch. It is not if it is only
# a second name of what was there, or if a macro leaves it out.
added_check()
{
	local object owner name bad=0
	[[ -s $WORKDIR/added ]] || return 0
	(cd "$WORKDIR/diff" && printf '%s\0' "${DIFFED[@]/ //}" | xargs -0 -r nm -A -g --) >"$WORKDIR/globals-diff" 2>>"$LOG" ||
		failed "$WORKDIR" "the symbols of the compared objects cannot be read"
	while read -r object owner name; do
		REASON=unknown-symbol refused "${OBJ_FILE[$object]}: refers to $name, which the patch adds to ${OBJ_FILE[$owner]} only as another name of what is there, or which is left out; add a function or a variable of its own there"
		bad=1
	done < <(awk '
		FILENAME == ARGV[1] {
			file = $1
			sub(/:[^:]*$/, "", file)
			target = file
			sub(/\/.*/, "", target)
			if ($2 !~ /^[Uw]$/)
				defined[target, $3] = 1
			else
				users[target, $3] = users[target, $3] " " substr(file, length(target) + 2)
			next
		}
		!(($1, $3) in defined) {
			n = split(users[$1, $3], user, " ")
			for (i = 1; i <= n; i++)
				print user[i], $2, $3
		}' "$WORKDIR/globals-diff" "$WORKDIR/added")
	((!bad)) || exit "$EXIT_REFUSED"
}

# new_globals TARGET OBJECT: global symbols that the patch adds to other objects of the target, and behind those that were
# static there, the source.
new_globals()
{
	local target object name
	awk -v target="$1" -v object="$2" '$1 == target && $2 != object { print $3 }' "$WORKDIR/added" | sort -u
	while read -r target object name; do
		[[ $target != "$1" || $object == "$2" ]] || printf '%s\t%s\n' "$name" "${OBJ_FILE[$object]}"
	done <"$WORKDIR/made-global"
}

# diff_run TARGET OBJECT: runs beside others. What create-diff-object says is told by diff_one, afterwards and in order.
diff_run()
{
	local target=$1 object=$2 out=$WORKDIR/diff/$1/$2 options=() code=0
	mkdir -p "${out%/*}"
	options=(--report "$out.report" --findings "$out.findings" --source "${OBJ_FILE[$object]}" --same-lines
		--proof "$WORKDIR/proof/$object" --image "${IMAGES[$target]}"
		--changed-lines "$WORKDIR/changed-lines" --trees "$WORKDIR/tree-")
	options+=("${ALLOWED_LAYOUTS[@]/#/--allow-layout=}")
	if ((SKIP_IMAGE_CHECK)); then
		options+=(--skip-image-check)
	fi
	if ((KEEP_DEBUG)); then
		options+=(--keep-debug)
	fi
	if [[ $target != vmlinux ]]; then
		options+=(--vmlinux-symtab "$VMLINUX_SYMTAB" --depends "${NEEDS[$target]}"
			--module-symtabs "$WORKDIR/symtabs")
	fi
	new_globals "$target" "$object" >"$out.elsewhere"
	if [[ -s $out.elsewhere ]]; then
		options+=(--defined-elsewhere "$out.elsewhere")
	fi
	if ((DEBUG)); then
		options+=(--debug)
	fi
	log "+ create-diff-object ${options[*]} $object"
	"$(tool create-diff-object)" "${options[@]}" "$WORKDIR/original/$object" "$WORKDIR/patched/$object" \
		"$target" "${SYMTABS[$target]}" "$PROFILE/Module.symvers" "$MODNAME" "$out" >"$out.messages" 2>&1 || code=$?
	printf '%d\n' "$code" >"$out.status"
}

# diff_one TARGET OBJECT: what came out of it.
diff_one()
{
	local target=$1 object=$2 text=$WORKDIR/diff/$1/$2.messages code
	code=$(<"$WORKDIR/diff/$1/$2.status") || die "internal error: $object was not compared"
	clear_line
	cat "$text" >>"$LOG"
	findings_of create-diff-object "$object" "$WORKDIR/diff/$1/$2.findings"
	if ((code != 0 && code != 3)) || ((DEBUG)); then
		messages_show "$text" >&"$STDERR"
		((code == 0 || code == 3)) || [[ ! -s $text ]] || said
	else
		grep -E '^[^ ]+: warning: |: new static variable, ' "$text" >&"$STDERR" || true
	fi
	if ((code == 2)); then
		weak_hint "$text" "${OBJ_SOURCE[$object]}" "$target"
	elif ((code > 3)); then
		error "create-diff-object: ended with status $code on $object"
		code=1
	fi
	return "$code"
}

# messages_show MESSAGES: a type that a header changes is refused for each object that sees it, and told of in detail once.
messages_show()
{
	touch "$WORKDIR/told-types"
	awk -v told="$WORKDIR/told-types" '
		BEGIN {
			while ((getline line <told) > 0)
				before[line] = 1
			close(told)
		}
		/^[^ ]+: / {
			type = ""
			if (/^[^ ]+: refused: / && (at = index($0, " changes ("))) {
				type = substr($0, 1, at - 1)
				sub(/^[^ ]+: refused: [^ ]+: /, "", type)
				print type >>told
			}
		}
		!/^    / || !(type in before) || /^    changed functions that use it: /' "$1"
}

# weak_hint MESSAGES SOURCE TARGET: where a weak function is overridden, say by which file. Found by
# looking for a definition at the start of a line in the sources of the same kernel object.
weak_hint()
{
	local name file
	grep -E '^[^ ]+: refused: .*\<weak\>' "$1" | sed -nE 's/.* ([A-Za-z_][A-Za-z0-9_.]*)\(\): .*/\1/p' | sort -u |
		while read -r name; do
			awk -F '\t' -v target="$3" -v own="$2" '$3 == target && $2 != own && $4 == "c" { print $2 }' "$PROFILE/plan" |
				(cd "$PROFILE/src" && xargs -r grep -lE "^[A-Za-z_].*\<$name\(|^$name\(" -- 2>/dev/null) |
				while read -r file; do
					if weak_definition "$PROFILE/src/$file" "$name"; then
						note "$name(): other definition: $file"
					fi
				done
		done
}

# weak_definition FILE NAME: whether FILE has a body for NAME, not only a declaration or a call.
weak_definition()
{
	awk -v name="$2" '
		inside && /\{/ { found = 1; exit }
		inside && /;/ { inside = 0 }
		$0 ~ "^([A-Za-z_][^;=]*[ *])?" name "\\(" && !/__weak/ {
			if (/;[ \t]*$/) next
			if (/\{/) { found = 1; exit }
			inside = 1
		}
		END { exit !found }' "$1"
}
