# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # the stages share these variables
#
# Stage 6: the module. The diffed objects, the generated registration (kmod/livepatch.c.in) and
# whatever kmod/core/ holds are linked as the kernel links a module: ld -r, modpost, .mod.c, ld -r
# with scripts/module.lds; create-klp-module then gives the livepatch relocations their final form.
# Everything happens in $WORKDIR/link, with relative names only, so that the result does not depend
# on where that is.

readonly COMMON_NAME=livepatch	# for what is the same in all livepatches: no module is called so

link_module()
{
	local dir=$WORKDIR/link source
	stage_begin link "$MODNAME"
	mkdir -p "$dir"
	report_collect
	# Links to what the flags name: -I./include, scripts/module.lds, ./tools/objtool/objtool.
	find "$PROFILE/src" -mindepth 1 -maxdepth 1 ! -name '.*' -exec ln -s -t "$dir" {} +
	mkdir "$dir/kpatch" "$dir/kpatch/core"
	cp "$PROFILE/Module.symvers" "$dir/kpatch/"
	registration_write "$KMOD/livepatch.c.in" "$WORKDIR/report" >"$dir/kpatch/livepatch-$NAME.main.c" 2>>"$LOG" ||
		failed "$WORKDIR" "the registration cannot be written"

	# Sources of our own: the registration and the core that goes into every module.
	for source in "$KMOD"/core/*.c; do
		[[ -e $source ]] || continue
		cp "$source" "$dir/kpatch/core/"
	done
	for source in "$KMOD"/core/*.h "$INCLUDE"/*.h; do
		[[ -e $source ]] || continue
		cp "$source" "$dir/kpatch/core/"
	done
	link_sources
	link_objects
	link_modpost
	link_final
	stage_end "${RESULT##*/}, $(stat -c %s "$dir/kpatch/livepatch-$NAME.ko") bytes"
}

# report_collect: all that the objects of the module report, in $WORKDIR/report.
report_collect()
{
	shadow_fields >"$WORKDIR/shadow-lines"
	{ reports; cat "$WORKDIR/shadow-lines"; } >"$WORKDIR/report"
	callbacks_check "$WORKDIR/report" || exit "$EXIT_ERROR"
}

# callbacks_check REPORT: the kernel calls one function of each kind for each kernel object.
callbacks_check()
{
	local bad
	bad=$(awk -F '\t' '
		$1 == "object" { object = $2 }
		$1 == "callback" {
			if ((object, $2) in first) {
				kind = $2
				sub(/_/, "-", kind)
				print $5 ": " object " has two " kind " callbacks, " name[object, $2] "() at " first[object, $2] " and " $3 "() here"
				exit
			}
			first[object, $2] = $5
			name[object, $2] = $3
		}' "$1")
	if [[ -n $bad ]]; then
		error "$bad; make one function of them, which does both"
		return 1
	fi
	return 0
}

# registration_write TEMPLATE REPORT
registration_write()
{
	awk -F '\t' -v module="$MODNAME" -v name="$NAME" -v release="$RELEASE" -v version="$VERSION" \
		-v replace="$( ((REPLACE)) && printf true || printf false)" \
		-f "$STAGES/registration.awk" "$2" "$1"
}

# link_step WHAT COMMAND...: runs it in the link directory.
link_step()
{
	local what=$1
	shift
	log "+ $*"
	slot_job env -C "$WORKDIR/link" "$@" >>"$LOG" 2>&1 || link_failed "$what"
}

link_failed()
{
	clear_line
	no_space "$WORKDIR" || tail -n +"$((LOG_LINES + 1))" "$LOG" | grep -vE '^\+ ' | head -n 20 >&"$STDERR" || true
	failed "$WORKDIR" "$MODNAME: $1 failed"
}

# compile_module_source SOURCE [MODULE]: runs beside others. With the flags that most module objects have. What stands in the
# object's name is the name of the module and of the file, as in the kernel's own build.
compile_module_source()
{
	timed_compile "${1##*/}" compile_own "$@"
}

compile_own()
{
	local source=$1 object=${1%.c}.o module=${2:-$MODNAME} base flags objtool text dir=$WORKDIR/link
	base=${source##*/}
	base=${base%.c}
	# scripts/ is a link to the profile, and what lies in kpatch/ is linked first.
	[[ $source == kpatch/* ]] || object=kpatch-$base.o
	text=$dir/$object.log
	IFS=$'\t' read -r flags objtool <"$PROFILE/module-flags"
	flags_without_debug "$flags"
	FLAGS+=" -Ikpatch/core -DKBUILD_BASENAME='\"${base//[-.]/_}\"' -DKBUILD_MODNAME='\"$module\"'"
	FLAGS+=" -D__KBUILD_MODNAME=kmod_$module"
	# The files of the kernel's build hold no code.
	[[ $source != *.mod.c && $source != scripts/* ]] || objtool=
	KEY=
	# What is named after no livepatch is the same in all.
	[[ $module == "$MODNAME" ]] ||
		kept_key "$FLAGS $source"$'\n'"$objtool" "$dir/$source" "$dir"/kpatch/core/*.[ch]
	if kept_take "$dir/$object"; then
		COMPILE_KEPT='kept from an earlier build'
		return 0
	fi
	: >"$text"
	launcher_compile "$dir" "$FLAGS" "$object" "$source" "$text" || own_failed "compiling ${source##*/}" "$text"
	if [[ -n $objtool ]]; then
		plan_command "$dir" "$objtool $object" "$text" || own_failed "objtool on ${object##*/}" "$text"
		# It warns of what it leaves undone, and ends well.
		! grep -q 'warning: objtool: ' "$text" || own_failed "objtool on ${object##*/}" "$text"
	fi
	cat "$text" >>"$LOG"
	kept_put "$dir/$object"
}

# own_failed WHAT TEXT
own_failed()
{
	cat "$2" >>"$LOG"
	clear_line
	head -n 20 "$2" >&"$STDERR"
	failed "$WORKDIR" "$MODNAME: $1 failed"
}

# What link_failed shows begins here.
log_mark()
{
	LOG_LINES=$(wc -l <"$LOG")
}

# link_sources: the registration, and the core, which is one unit; its other files are included.
link_sources()
{
	{
		(cd "$WORKDIR/link" && find kpatch -maxdepth 1 -name '*.c' | sort)
		[[ ! -e $WORKDIR/link/kpatch/core/core.c ]] || printf 'kpatch/core/core.c\t%s\n' "$COMMON_NAME"
		# From 6.12 on vermagic and what else all modules have is a file of its own.
		[[ ! -e $WORKDIR/link/scripts/module-common.c ]] || printf 'scripts/module-common.c\t%s\n' "$COMMON_NAME"
	} >"$WORKDIR/own-sources"
	pool compile_module_source "$WORKDIR/own-sources" || exit
}

# link_objects: kpatch/livepatch-NAME.o from the diffed objects, in a fixed order, and our own.
link_objects()
{
	local pair n=0 objects=() object
	mkdir "$WORKDIR/link/kpatch/diff"
	added_twice
	for pair in "${DIFFED[@]}"; do
		# Numbered names: two directories may have objects of the same name.
		n=$((n + 1))
		object=kpatch/diff/$(printf '%04d' "$n").o
		shadow_redirect "$WORKDIR/diff/${pair% *}/${pair#* }" "$WORKDIR/link/$object"
		keep_apart "${pair% *}" "$WORKDIR/link/$object"
		objects+=("$object")
	done
	while read -r object; do
		objects+=("$object")
	done < <(cd "$WORKDIR/link" && find kpatch -path kpatch/diff -prune -o -name '*.o' -print | sort)
	shadow_destructors "$WORKDIR/shadow-lines" "${objects[@]/#/$WORKDIR/link/}"
	link_flags
	log_mark
	link_step "linking" ld -r "${LINK_FLAGS[@]}" -o "kpatch/livepatch-$NAME.o" "${objects[@]}"
}

# added_twice: each kernel object has names of its own, but in the livepatch they meet: what the patch adds to
# two of them (an object that is part of two modules is there twice) gets the target's name behind
# its own in all but the first, in $WORKDIR/apart/TARGET.
added_twice()
{
	mkdir "$WORKDIR/apart"
	awk -v dir="$WORKDIR/apart" '
		!($3 in first) { first[$3] = $1 }
		first[$3] != $1 && !seen[$1, $3]++ { print $3, $3 "." $1 >(dir "/" $1) }' "$WORKDIR/added"
}

# keep_apart TARGET OBJECT
keep_apart()
{
	[[ -e $WORKDIR/apart/$1 ]] || return 0
	objcopy --redefine-syms="$WORKDIR/apart/$1" "$2" "$2.apart" 2>>"$LOG" ||
		failed "$WORKDIR" "$2: objcopy failed"
	mv "$2.apart" "$2"
}

# link_flags: LINK_FLAGS for every link, LINK_FLAGS_MODULE for the last one.
link_flags()
{
	local first second
	{ read -r first; read -r second; } <"$PROFILE/link-flags"
	read -r -a LINK_FLAGS <<<"$first"
	read -r -a LINK_FLAGS_MODULE <<<"$second"
}

# link_modpost: kpatch/livepatch-NAME.mod.c, with vermagic and the CRCs of what is imported. The .mod
# file is what modpost of some versions reads for the names of the sources. From 6.14 on CRCs have two forms, and
# the configuration has the ones that the kernel reads.
link_modpost()
{
	local pair options=(-e -i kpatch/Module.symvers -o kpatch/modpost.symvers)
	: >"$WORKDIR/link/kpatch/livepatch-$NAME.mod"
	for pair in MODVERSIONS:-m BASIC_MODVERSIONS:-b EXTENDED_MODVERSIONS:-x; do
		! grep -qx "CONFIG_${pair%:*}=y" "$PROFILE/config" || options+=("${pair#*:}")
	done
	if ! grep -qx CONFIG_SECTION_MISMATCH_WARN_ONLY=y "$PROFILE/config"; then
		options=(-E "${options[@]}")
	fi
	log_mark
	link_step "modpost" scripts/mod/modpost "${options[@]}" "kpatch/livepatch-$NAME.o"
	printf 'kpatch/livepatch-%s.mod.c\n' "$NAME" >"$WORKDIR/own-sources"
	pool compile_module_source "$WORKDIR/own-sources" || exit
}

link_final()
{
	local dir=$WORKDIR/link/kpatch tmp code=0 common=() options=()
	[[ ! -e $WORKDIR/link/kpatch-module-common.o ]] || common=(kpatch-module-common.o)
	log_mark
	link_step "linking" ld -r "${LINK_FLAGS[@]}" "${LINK_FLAGS_MODULE[@]}" -T scripts/module.lds \
		-o "kpatch/linked.ko" "kpatch/livepatch-$NAME.o" "kpatch/livepatch-$NAME.mod.o" "${common[@]}"
	grep -qx CONFIG_MODVERSIONS=y "$PROFILE/config" || options=(--no-modversions)
	log "+ create-klp-module ${options[*]}"
	slot_job "$(tool create-klp-module)" "${options[@]}" --findings "$dir/findings" "$dir/linked.ko" "$dir/livepatch-$NAME.ko" >"$dir/messages" 2>&1 || code=$?
	cat "$dir/messages" >>"$LOG"
	findings_of create-klp-module - "$dir/findings"
	if ((code != 0 || DEBUG)); then
		clear_line
		cat "$dir/messages" >&"$STDERR"
	fi
	if ((code == EXIT_REFUSED)); then
		[[ ! -s $dir/messages ]] || said
		exit "$EXIT_REFUSED"
	fi
	((code == 0)) || failed "$WORKDIR" "$MODNAME: create-klp-module failed"
}

# module_put: the module, at its place. Under a temporary name first: what has the right name is whole.
module_put()
{
	local tmp
	temporary_clean .tmp "$RESULT".*.tmp
	tmp=$RESULT.$$.tmp
	TMP_FILES+=("$tmp")
	cp "$WORKDIR/link/kpatch/livepatch-$NAME.ko" "$tmp" 2>>"$LOG" || failed "${RESULT%/*}" "${RESULT%/*}: cannot be written to"
	mv -f "$tmp" "$RESULT"
}

# report: the result, on standard output.
report()
{
	local relocations
	relocations=$(awk -F '\t' '$1 == "klp"' "$WORKDIR/report" | sort -u | wc -l)
	((DRY_RUN)) || printf '%s\n' "$RESULT"
	awk -f "$STAGES/summary.awk" "$WORKDIR/report"
	printf '  %s%d %s reached by livepatch relocations\n' "$( ((DRY_RUN)) || printf '%d bytes, ' "$(stat -c %s "$RESULT")")" "$relocations" \
		"$(plural "$relocations" symbol)"
	tasks_note
}
