# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Part of stage 6: shadow variables. What the patch declares with include/kpatch-shadow.h is read
# from the patched objects, and the calls of klp_shadow_* in the diffed ones are sent to the shadow
# core that is linked with them.

readonly SHADOW_SECTION=.discard.kpatch_shadow
readonly SHADOW_CALLS='klp_shadow_(get|alloc|get_or_alloc|free|free_all)'

# shadow_fields: prints, for each declared field, sorted by name and tab-separated,
#	shadow NAME ID SIZE ALIGN VERSION DESTRUCTOR
# DESTRUCTOR: a function, or "-". With --shadow=kernel the variables are not ours to manage.
shadow_fields()
{
	local pair object
	[[ $SHADOW == core ]] || return 0
	for pair in "${DIFFED[@]}"; do
		object=$WORKDIR/patched/${pair#* }
		if readelf -SW "$object" | grep -F " $SHADOW_SECTION " >/dev/null; then
			shadow_declarations "$object" || failed "$WORKDIR" "${pair#* }: its shadow fields cannot be read"
		fi
	done | LC_ALL=C sort -u >"$WORKDIR/shadow"
	shadow_check "$WORKDIR/shadow" || exit "$EXIT_ERROR"
	cut -f 1-7 "$WORKDIR/shadow"
}

# shadow_declarations OBJECT: a record of the section is a row of 64-bit words, see KPATCH_SHADOW_RECORD
# in the header. It begins with a magic word and its length; the compiler may leave gaps between them.
# Prints the fields as above, and behind them all options of the declaration, to be compared.
shadow_declarations()
{
	local bytes=$WORKDIR/shadow.section
	objcopy -O binary --only-section="$SHADOW_SECTION" --set-section-flags "$SHADOW_SECTION=alloc" "$1" "$bytes" || return 1
	{
		readelf -rW "$1" | awk -v section=".rela$SHADOW_SECTION" '
			/^Relocation section/ { ours = index($3, "\047" section "\047"); next }
			ours && $3 == "R_X86_64_64" { print "r", $1, $5, $7 }'
		od -An -v -tx8 -w8 "$bytes" | sed 's/^ */w /'
	} | awk '
		function number(hex,    i, n)
		{
			for (i = 1; i <= 16; i++)
				n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
			return n
		}
		function text(word,    s, i, c)
		{
			for (i = 15; i >= 1; i -= 2) {
				c = (index(hex, substr(word, i, 1)) - 1) * 16 + index(hex, substr(word, i + 1, 1)) - 1
				if (c)
					s = s sprintf("%c", c)
			}
			return s
		}
		BEGIN { hex = "0123456789abcdef" }
		# A static function is named by its section.
		$1 == "r" { sub(/^\.text\./, "", $3); reloc[number($2)] = $3; next }
		{ word[n++] = $2 }
		END {
			for (i = 0; i < n; ) {
				if (word[i] != "574f44414853504b") {	# "KPSHADOW"
					i++
					continue
				}
				length_ = number(word[i + 1]) / 8
				name = ""
				for (j = 0; j < 16; j++)
					name = name text(word[i + 6 + j])
				options = i + number(word[i + 2]) / 8
				id = word[options]
				if (id == "0000000000000000")
					id = word[i + 3]
				dtor = ((options + 3) * 8) in reloc ? reloc[(options + 3) * 8] : "-"
				printf "shadow\t%s\t%s\t%d\t%d\t%d\t%s\t", name, id, number(word[i + 4]), number(word[i + 5]),
					number(word[options + 1]), dtor
				# What has no name of its own lies elsewhere in each object.
				for (j = options; j < i + length_; j++)
					printf "%s", (j * 8) in reloc ? (reloc[j * 8] ~ /^\./ ? "@" : "@" reloc[j * 8]) : word[j]
				printf "\n"
				i += length_
			}
		}'
}

# shadow_check FILE: one declaration per field, one field per id, destructors that can be called.
shadow_check()
{
	local bad
	bad=$(cut -f 2 "$1" | uniq -d | sed -n 1p)
	if [[ -n $bad ]]; then
		REASON=shadow error "$bad: the objects of the patch declare this field in different ways; declare it once, in a header, or give one of two fields another name"
		return 1
	fi
	bad=$(awk -F '\t' '$3 in name { print name[$3] " and " $2; exit } { name[$3] = $2 }' "$1")
	if [[ -n $bad ]]; then
		REASON=shadow error "the fields $bad have the same id; rename one of them or give it an id of its own"
		return 1
	fi
	return 0
}

# shadow_destructors FILE OBJECT...: the generated module calls the destructors by name.
shadow_destructors()
{
	local names=$1 field dtor
	shift
	while IFS=$'\t' read -r _ field _ _ _ _ dtor; do
		[[ $dtor != - ]] || continue
		nm -g --defined-only "$@" 2>/dev/null | awk -v name="$dtor" '$3 == name { found = 1 } END { exit !found }' ||
			REASON=shadow die "$field: its destructor $dtor() is no global function of the patch; define it without 'static', in one of the patched files"
	done <"$names"
}

# shadow_redirect FROM TO: a diffed object for the link, its calls of klp_shadow_* sent to the core.
shadow_redirect()
{
	local call options=()
	if [[ $SHADOW != core ]] || ! nm -u "$1" | grep -E "$SHADOW_CALLS" >/dev/null; then
		ln -s "$1" "$2"
		return
	fi
	for call in get alloc get_or_alloc free free_all; do
		options+=(--redefine-sym "klp_shadow_$call=kpatch_shadow_$call")
	done
	objcopy "${options[@]}" "$1" "$2" 2>>"$LOG" || failed "$WORKDIR" "$1: objcopy failed"
	! nm "$2" | grep -E "(^| |\.)$SHADOW_CALLS(\$|,)" >>"$LOG" ||
		die "internal error: ${1#"$WORKDIR"/diff/}: calls of klp_shadow_* are left, which would go to the kernel's own store"
}
