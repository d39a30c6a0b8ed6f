# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # the stages share these variables
#
# Part of stage 2: the kernels of a featureset of Debian, of which rt is the only one. They are built from the source of all
# others and a series of patches, which linux-source-* does not hold: they are in Debian's part of the source package
# "linux" (debian/patches-rt), a file of 2 MB. Whether they are the ones that the kernel was built with, the proof tells.

# What profile_unpack leaves out of the source, for filterdiff.
readonly FEATURESET_LEFT_OUT=('Documentation/*' 'tools/testing/*' 'tools/perf/*' 'arch/[a-wyz]*/*' 'arch/xtensa/*')

FEATURESET=
FEATURESET_FILE=

# featureset_find: sets FEATURESET, that of RELEASE or nothing, and FEATURESET_FILE, Debian's part of the source package.
featureset_find()
{
	FEATURESET=
	[[ $RELEASE =~ -(rt)-[a-z0-9]+$ ]] || return 0
	FEATURESET=${BASH_REMATCH[1]}
	PACKAGE_DIR=$CACHE/packages
	FEATURESET_FILE=$PACKAGE_DIR/linux_$KERNEL_VERSION.debian.tar.xz
	[[ -e $FEATURESET_FILE ]] || featureset_get
}

# featureset_apply SRC: brings the source of all others to that of RELEASE.
featureset_apply()
{
	local dir=$WORKDIR/featureset patch
	[[ -n $FEATURESET ]] || return 0
	stage_doing "patching the source for $FEATURESET"
	mkdir "$dir"
	job_logged tar -xJf "$FEATURESET_FILE" -C "$dir" --no-same-owner ||
		failed "$WORKDIR" "$FEATURESET_FILE: cannot be unpacked; delete it and run again"
	[[ -s $dir/debian/patches-$FEATURESET/series ]] ||
		die "$FEATURESET_FILE: has no debian/patches-$FEATURESET; the source of $RELEASE cannot be made"
	while read -r patch; do
		featureset_patch "$1" "$dir/debian/patches-$FEATURESET/$patch" ||
			failed "$PROFILE_TMP" "$patch of Debian's patches-$FEATURESET does not apply to the source of linux $KERNEL_VERSION; the source of $RELEASE cannot be made"
	done < <(sed -E 's/[[:space:]]*(#.*)?$//; /^$/d' "$dir/debian/patches-$FEATURESET/series")
	rm -rf "$dir"
}

# featureset_patch SRC PATCH: as Debian's own build does, which takes no patch that fits only nearly.
featureset_patch()
{
	local exclude=() pattern
	for pattern in "${FEATURESET_LEFT_OUT[@]}"; do
		exclude+=(-x "$pattern")
	done
	filterdiff --clean -p1 "${exclude[@]}" -- "$2" >"$WORKDIR/featureset.diff" || return
	[[ -s $WORKDIR/featureset.diff ]] || return 0
	job_logged patch -d "$1" -p1 --fuzz=0 --batch --forward --no-backup-if-mismatch -i "$WORKDIR/featureset.diff"
}

# featureset_get: apt downloads it, and verifies it, from where it knows linux-source of this version. Lists of
# source packages of its own, so that nobody has to add them to apt's configuration.
featureset_get()
{
	local file=$FEATURESET_FILE apt uri place keyring=/usr/share/keyrings/debian-archive-keyring.gpg signed="" options
	stage_doing "downloading the patches for $FEATURESET of linux $KERNEL_VERSION"
	mkdir -p "$PACKAGE_DIR" || failed "$CACHE" "$PACKAGE_DIR: cannot be created"
	# Of runs that were killed here; the lock of the profile says that nobody works on it.
	rm -rf "$PACKAGE_DIR/.get.linux_$KERNEL_VERSION".*
	apt=$(mktemp -d "$PACKAGE_DIR/.get.linux_$KERNEL_VERSION.XXXXXX" 2>>"$LOG") || failed "$PACKAGE_DIR" "$PACKAGE_DIR: cannot be written to"
	TMP_FILES+=("$apt")
	# apt makes no directories outside of its own.
	mkdir -p "$apt/lists/partial" "$apt/archives/partial" 2>>"$LOG" || failed "$PACKAGE_DIR" "$PACKAGE_DIR: cannot be written to"
	options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt")
	[[ ! -r $keyring ]] || signed=" [signed-by=$keyring]"
	while read -r uri place; do
		printf 'deb-src%s %s %s %s\n' "$signed" "$uri" "${place%/*}" "${place##*/}"
	done < <(apt-cache madison "linux-source-$KERNEL_BASE" |
		awk -F '|' -v version="$KERNEL_VERSION" '
			{ gsub(/ /, "", $2); split($3, place, " ") }
			$2 == version { print place[1], place[2] }' | sort -u) >"$apt/sources.list"
	[[ -s $apt/sources.list ]] ||
		die "linux $KERNEL_VERSION is not in the archive (any more), and with it the patches that make $RELEASE; install a newer kernel and patch that"
	if ! job_logged apt-get "${options[@]}" update ||
		! job_logged env -C "$apt" apt-get "${options[@]}" source --download-only --diff-only --only-source "linux=$KERNEL_VERSION"; then
		failed "$PACKAGE_DIR" "the patches that make $RELEASE (linux_$KERNEL_VERSION.debian.tar.xz) cannot be downloaded: $(apt_reason); put the file into $PACKAGE_DIR, or run again when the archive has it"
	fi
	sync -d -- "$apt/${file##*/}"
	mv -- "$apt/${file##*/}" "$file"
	rm -rf "$apt"
}
