# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the stages share these variables
#
# Objects that are compiled once and kept, in $CACHE/objects/RELEASE, each under the checksum of all that it depends on: the
# compiler, the profile (its headers and its objtool), the commands, and the content of the source. Those are the
# proof objects, which are the same for every patch; originals, which are the same as long as the patch's hunks are as
# long; and the parts of the generated module that are the same in all. Used by stages 4 and 6.
#
# An object appears under its name when it is complete, and is never written to again, so that any number of builds
# can use the directory at once. What nobody used for long is removed by "kpatch-build cache prune". A cache that
# cannot be written to is as good as none.

readonly KEPT_FORMAT='kpatch-object 1'
readonly KEPT_ORIGINALS=100	# of a patch that changes more objects, originals are not kept

KEPT_DIR=
KEPT_BASE=			# what all objects of this run depend on

# kept_init: once per run, before anything is compiled.
kept_init()
{
	local file programs=()
	# The headers beside a source that is not part of the kernel are in no checksum.
	! oot_wanted || return 0
	KEPT_DIR=$CACHE/objects/$PROFILE_NAME
	mkdir -p "$KEPT_DIR" 2>>"$LOG" || { KEPT_DIR=; return 0; }
	temporary_clean "" "$KEPT_DIR"/.*.*
	# The compiler is a driver for others; an update of any of them changes its size or time.
	for file in "$KERNEL_CC" "$("$KERNEL_CC" -print-prog-name=cc1)" "$("$KERNEL_CC" -print-prog-name=as)"; do
		file=$(command -v -- "$file") || { KEPT_DIR=; return 0; }
		programs+=("$file")
	done
	# The profile is never changed, only replaced as a whole.
	KEPT_BASE=$(printf '%s\n' "$KEPT_FORMAT" "$RELEASE" "$KERNEL_VERSION" "$LAUNCH" &&
		stat -L -c '%n %i %s %Y' "$PROFILE/complete" "${programs[@]}") || KEPT_DIR=
}

# kept_key TEXT FILE...: sets KEY, of an object that depends on TEXT and on the content of the files.
kept_key()
{
	local text=$1
	shift
	KEY=
	[[ -n $KEPT_DIR ]] || return 0
	KEY=$({ printf '%s\n%s\n' "$KEPT_BASE" "$text" && cat -- "${@:-/dev/null}"; } | sha256sum) || { KEY=; return 0; }
	KEY=${KEY%% *}
}

# kept_take OBJECT: a copy of what is kept under KEY, and a mark of its use.
kept_take()
{
	[[ -n $KEY && -s $KEPT_DIR/$KEY.o ]] || return 1
	cp -- "$KEPT_DIR/$KEY.o" "$1" 2>>"$LOG" || return 1
	touch -c -- "$KEPT_DIR/$KEY.o" 2>>"$LOG" || true
}

# kept_put OBJECT: written to the disk before it gets its name, so that a crash leaves no half of it there.
kept_put()
{
	local tmp=$KEPT_DIR/.$KEY.$BASHPID
	[[ -n $KEY ]] || return 0
	if cp -- "$1" "$tmp" && sync -d -- "$tmp" && mv -f -- "$tmp" "$KEPT_DIR/$KEY.o"; then
		return 0
	fi 2>>"$LOG"
	rm -f -- "$tmp"
	log "${1##*/}: cannot be kept in $KEPT_DIR"
}

# kept_originals: sets ORIGINALS_SUM to the checksum of the original files, padded, any of which an object may include.
kept_originals()
{
	ORIGINALS_SUM=
	((${#OBJECTS[@]} <= KEPT_ORIGINALS)) || return 0
	ORIGINALS_SUM=$(cd "$WORKDIR/files/original" &&
		find . -type f -print0 | sort -z | xargs -0 -r sha256sum -- | sha256sum) || ORIGINALS_SUM=
}
