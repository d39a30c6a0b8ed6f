# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Stage 1: what Debian shipped for a release: image, configuration, modules, headers, build tools
# and the source of exactly that package version. From the packages that are installed, else
# downloaded by apt, which checks the signatures. Only the first build for a release comes here.

KERNEL_VERSION=		# Debian's version of the packages, 6.1.192-2
KERNEL_BASE=		# 6.1, as in linux-source-6.1

# The files of the packages; set by kernel_locate.
K_IMAGE=""		# vmlinuz
K_CONFIG=""
K_MODULES=""
K_HEADERS=""
K_KBUILD=""
K_SOURCE=""
K_COMMON=""		# headers that all flavours share

# What is known here: how the image stores its symbols, what make says of a build, which sections objects have, how modpost
# and objtool are called.
readonly KERNEL_OLDEST=6.1 KERNEL_NEWEST=6.18

# release_number RELEASE: its first two numbers as one, to compare.
release_number()
{
	[[ $1 =~ ^([0-9]+)\.([0-9]+) ]]
	printf '%d\n' $((10#${BASH_REMATCH[1]} * 1000 + 10#${BASH_REMATCH[2]}))
}

# kernel_known_check: older kernels differ in much that is known, and in newer ones may have changed what nobody here has
# seen. Most of that the proof and the unknown sections find, but not what a table means.
kernel_known_check()
{
	local number
	number=$(release_number "$RELEASE")
	((number >= $(release_number $KERNEL_OLDEST))) ||
		REASON=kernel refuse "$RELEASE: is older than $KERNEL_OLDEST, and other in its image, its build and its livepatches than what is known here; boot a kernel of $KERNEL_OLDEST or later"
	((number <= $(release_number $KERNEL_NEWEST))) ||
		warning "$RELEASE: is newer than $KERNEL_NEWEST, up to which it is known what kernels hold: load the livepatch in a virtual machine first, and see there that it does what it should"
}

# package_version PACKAGE: the version that is installed, nothing when none is.
package_version()
{
	local status version
	# shellcheck disable=SC2016 # the dollar is dpkg-query's
	read -r status version < <(dpkg-query -W -f '${db:Status-Abbrev} ${Version}\n' "$1" 2>/dev/null) || true
	if [[ ${status:-} == ii ]]; then
		printf '%s\n' "$version"
	fi
}

# package_known PACKAGE VERSION: whether apt can get it.
package_known()
{
	apt-cache madison "$1" 2>/dev/null | awk -F ' *[|] *' -v v="$2" '$2 == v { found = 1 } END { exit !found }'
}

# shellcheck disable=SC2016 # the dollar is apt-get's
apt_targets()
{
	apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' 2>/dev/null
}

apt_has_lists()
{
	local file
	while read -r file; do
		if compgen -G "$file*" >/dev/null; then
			return 0
		fi
	done < <(apt_targets)
	return 1
}

need_apt_lists()
{
	apt_has_lists ||
		die "apt has no package lists to find linux-image-$RELEASE in; run 'apt-get update' as root"
}

# kernel_version: which version of the packages belongs to RELEASE.
kernel_version()
{
	KERNEL_BASE=$(sed -E 's/^([0-9]+\.[0-9]+).*/\1/' <<<"$RELEASE")
	KERNEL_VERSION=$(package_version "linux-image-$RELEASE")
	[[ -z $KERNEL_VERSION ]] || return 0
	need_apt_lists
	KERNEL_VERSION=$(apt-cache policy "linux-image-$RELEASE" 2>/dev/null | awk '$1 == "Candidate:" { print $2 }')
	if [[ -z $KERNEL_VERSION || $KERNEL_VERSION == '(none)' ]]; then
		die "$RELEASE: there is no Debian package linux-image-$RELEASE; give a release as 'uname -r' prints it with -a, or run 'apt-get update' if it is new"
	fi
}

# shellcheck disable=SC2034 # for the other stages
readonly DEBIAN_TOOLS=(xz:xz-utils dpkg-deb:dpkg apt-get:apt)
# shellcheck disable=SC2034
readonly OWN_TOOLS=(bison:bison flex:flex bc:bc)
# What each build calls.
# shellcheck disable=SC2034
readonly BUILD_TOOLS=(ld:binutils nm:binutils objcopy:binutils patch:patch filterdiff:patchutils flock:util-linux /sbin/modinfo:kmod)

# kernel_tools_check COMMAND:PACKAGE...: these, and those that all preparing and building calls.
kernel_tools_check()
{
	programs_check make:make perl:perl-base "${BUILD_TOOLS[@]}" "$@"
}

# programs_check COMMAND:PACKAGE...: whether these are there.
programs_check()
{
	local pair missing=()
	for pair; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	if ((${#missing[@]})); then
		mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
		die "programs are missing; install them: apt-get install ${missing[*]}"
	fi
}

# kernel_origin: where the kernel is from, for people.
kernel_origin()
{
	if own_wanted; then
		printf '%s\n' "$OWN_SOURCE"
	else
		printf 'Debian %s\n' "$KERNEL_VERSION"
	fi
}

# kernel_locate [headers]: sets the K_* paths; those of the source only if it is wanted.
kernel_locate()
{
	local wanted=() package
	kernel_version
	stage_doing "$RELEASE, Debian $KERNEL_VERSION"
	PACKAGES=("linux-image-$RELEASE" "linux-headers-$RELEASE")
	[[ ${1:-} == headers ]] || PACKAGES+=("linux-source-$KERNEL_BASE")
	for package in "${PACKAGES[@]}"; do
		[[ $(package_version "$package") == "$KERNEL_VERSION" ]] || wanted+=("$package")
	done

	K_MODULES=/lib/modules/$RELEASE
	kernel_image ""
	K_HEADERS=/usr/src/linux-headers-$RELEASE
	K_SOURCE=/usr/src/linux-source-$KERNEL_BASE.tar.xz
	if [[ " ${wanted[*]} " != *" linux-headers-$RELEASE "* ]]; then
		# Installed headers depend on the build tools of their version.
		K_KBUILD=$(readlink -f -- "$K_HEADERS/scripts") || K_KBUILD=$K_HEADERS/scripts
		K_KBUILD=${K_KBUILD%/*}
		# Their Makefile is one line, which includes that of the others.
		K_COMMON=$(sed -n 's,^include \(.*\)/Makefile$,\1,p' "$K_HEADERS/Makefile") || K_COMMON=
	fi
	((${#wanted[@]} == 0)) || kernel_download "${wanted[@]}"
	[[ ${1:-} != headers ]] || K_SOURCE=$K_COMMON/Makefile
	kernel_files_check
}

# kernel_download PACKAGE...: gets them, unpacks them and points the K_* paths there.
kernel_download()
{
	local package root=$WORKDIR/packages kbuild
	PACKAGE_DIR=$CACHE/packages
	mkdir -p "$PACKAGE_DIR" "$root" || failed "$CACHE" "$PACKAGE_DIR: cannot be created"
	need_apt_lists
	for package; do
		# The source package holds one big archive, which is read where it is.
		package_unpack "$package" "$root"
		case $package in
		linux-image-*)
			kernel_parts "$package" "$root"
			K_MODULES=$root/lib/modules/$RELEASE
			[[ -d $K_MODULES ]] || K_MODULES=$root/usr/lib/modules/$RELEASE
			kernel_image "$root"
			;;
		linux-source-*)
			K_SOURCE=$root/usr/src/linux-source-$KERNEL_BASE.tar.xz
			;;
		linux-headers-*)
			K_HEADERS=$root/usr/src/linux-headers-$RELEASE
			kbuild=$(package_depends "$package" | sed -n '/^linux-kbuild-/p' | sed -n 1p)
			[[ -n $kbuild ]] || die "$package $KERNEL_VERSION: does not say which linux-kbuild it needs"
			if [[ $(package_version "$kbuild") == "$KERNEL_VERSION" ]]; then
				K_KBUILD=/usr/lib/$kbuild
			else
				package_unpack "$kbuild" "$root"
				K_KBUILD=$root/usr/lib/$kbuild
			fi
			[[ " ${PACKAGES[*]} " == *" linux-source-"* ]] || kernel_common "$package"
			;;
		esac
	done
}

# kernel_common PACKAGE: sets K_COMMON, the headers that it shares with those of other flavours.
kernel_common()
{
	local common
	common=$(package_depends "$1" | sed -nE '/^linux-headers-.+-common/p' | sed -n 1p)
	[[ -n $common ]] || die "$1 $KERNEL_VERSION: does not say which headers it shares with others"
	K_COMMON=/usr/src/$common
	[[ $(package_version "$common") != "$KERNEL_VERSION" ]] || return 0
	package_unpack "$common" "$WORKDIR/packages"
	K_COMMON=$WORKDIR/packages/usr/src/$common
}

# kernel_image ROOT: sets K_IMAGE and K_CONFIG, of a kernel that is unpacked in ROOT. Debian's newer packages hold them
# beside the modules.
kernel_image()
{
	K_IMAGE=$1/boot/vmlinuz-$RELEASE
	K_CONFIG=$1/boot/config-$RELEASE
	[[ -e $K_IMAGE || ! -e $K_MODULES/vmlinuz ]] || K_IMAGE=$K_MODULES/vmlinuz
	[[ -e $K_CONFIG || ! -e $K_MODULES/config ]] || K_CONFIG=$K_MODULES/config
}

# kernel_parts PACKAGE ROOT: the image's package of newer kernels is empty, and depends on others that hold the image, the modules
# and the configuration: linux-binary-RELEASE, linux-modules-RELEASE, linux-base-RELEASE.
kernel_parts()
{
	local part
	while read -r part; do
		package_unpack "$part" "$2"
	done < <(package_depends "$1" | awk -v release="-$RELEASE" '
			substr($0, length($0) - length(release) + 1) == release')
}

# package_depends PACKAGE: the names of what it depends on; it is in the cache.
package_depends()
{
	dpkg-deb -f "$PACKAGE_DIR/$1_$KERNEL_VERSION.deb" Depends | tr ',|' '\n' | sed -nE 's/^ *([^ (]+).*/\1/p'
}

# package_unpack PACKAGE ROOT [VERSION]: gets it, of the kernel's version if none is given, and unpacks it.
package_unpack()
{
	package_get "$1" "${3:-$KERNEL_VERSION}"
	job_logged dpkg-deb -x "$PACKAGE_FILE" "$2" ||
		failed "$2" "$PACKAGE_FILE: cannot be unpacked; delete it and run again"
}

# package_get PACKAGE VERSION: sets PACKAGE_FILE. A file gets its name in the cache only after
# apt has verified it.
package_get()
{
	local dir lock file=$PACKAGE_DIR/$1_$2.deb
	PACKAGE_FILE=$file
	if [[ -e $file ]]; then
		# Of a run that was killed when it had given the file its name.
		rm -rf "$PACKAGE_DIR/.get.$1_$2".*
		return 0
	fi
	# Releases of one version share the source; whoever comes second waits for it.
	{ exec {lock}<>"$CACHE/profiles/.$1_$2.lock"; } 2>>"$LOG" ||
		failed "$CACHE/profiles" "$CACHE/profiles: cannot be written to, and $1 $2 is not in the cache; set XDG_CACHE_HOME to a writable directory"
	flock -n "$lock" || job flock "$lock"
	if [[ -e $file ]]; then
		exec {lock}>&-
		return 0
	fi
	package_known "$1" "$2" ||
		die "$1 version $2 is not in the archive (any more); run 'apt-get update', install a newer kernel and patch that, or add Debian's snapshot archive of that day to apt's sources"
	stage_doing "downloading $1 $2"
	# Of runs that were killed here.
	rm -rf "$PACKAGE_DIR/.get.$1_$2".*
	dir=$(mktemp -d "$PACKAGE_DIR/.get.$1_$2.XXXXXX" 2>>"$LOG") || failed "$PACKAGE_DIR" "$PACKAGE_DIR: cannot be written to"
	TMP_FILES+=("$dir")
	if ! job_logged env -C "$dir" apt-get -q download "$1=$2"; then
		failed "$PACKAGE_DIR" "$1 version $2 cannot be downloaded: $(apt_reason); check the network and apt's sources"
	fi
	sync -d -- "$dir"/*.deb
	mv "$dir"/*.deb "$file"
	rm -rf "$dir"
	exec {lock}>&-
}

apt_reason()
{
	local reason
	reason=$(sed -n '/^E: /{ s///p; q }' "$LOG")
	printf '%s\n' "${reason:-apt-get failed}"
}

kernel_files_check()
{
	local file
	for file in "$K_IMAGE" "$K_CONFIG" "$K_MODULES/kernel" \
		"$K_HEADERS/Module.symvers" "$K_HEADERS/include/generated/autoconf.h" \
		"$K_HEADERS/include/config/auto.conf" "$K_KBUILD/scripts/mod/modpost" \
		"$K_KBUILD/tools/objtool/objtool" "$K_SOURCE"; do
		[[ -r $file ]] ||
			die "$file: missing or not readable, although the packages of $RELEASE $KERNEL_VERSION should hold it"
	done
}

# compiler_version TEXT: what tells compilers apart, "(Debian 12.2.0-14) 12.2.0" of "gcc-12 (Debian 12.2.0-14) 12.2.0", however
# they were called.
compiler_version()
{
	printf '%s\n' "${1#* }"
}

# compiler_major TEXT
compiler_major()
{
	sed -nE 's/^.*\) ([0-9]+)\..*$/\1/p; t; s/^[^ ]+ ([0-9]+)\..*$/\1/p' <<<"$1"
}

# compiler_find TEXT: sets KERNEL_CC to the compiler that calls itself so, by whatever name it is here, or else to one of the
# same major version. Fails if there is none.
compiler_find()
{
	local major name have near=
	major=$(compiler_major "$1")
	for name in "gcc-$major" "${1%% *}" "x86_64-linux-gnu-gcc-$major" gcc; do
		command -v "$name" >/dev/null || continue
		have=$("$name" --version 2>/dev/null | sed -n 1p)
		if [[ $(compiler_version "$have") == "$(compiler_version "$1")" ]]; then
			KERNEL_CC=$name
			return 0
		fi
		if [[ -z $near && $(compiler_major "$have") == "$major" ]]; then
			near=$name
		fi
	done
	KERNEL_CC=$near
	[[ -n $near ]]
}

# kernel_compiler: the compiler that the kernel was built with, as the image says. Whether it is the very same one is said for each
# build, by compiler_again.
kernel_compiler()
{
	local text
	text=$("$(tool kpatch-image)" compiler "$K_IMAGE" 2>>"$LOG") ||
		text=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"$/\1/p' "$K_CONFIG")
	compiler_supported "$RELEASE" "$text"
	compiler_find "$text" || compiler_missing "$text"
}

# compiler_supported WHAT TEXT
compiler_supported()
{
	if [[ $2 == *clang* ]]; then
		refuse "$1 was built with '$2'; only kernels built with gcc can be patched: what is compared is gcc's code"
	fi
	[[ $2 == *gcc* && -n $(compiler_major "$2") ]] ||
		die "$1 was built with '$2', which is no gcc that is known here; only kernels built with gcc can be patched"
}

compiler_missing()
{
	local package
	package=gcc-$(compiler_major "$1")
	die "$RELEASE was built with '$1', which is missing; install it: apt-get install $package"
}

# compiler_check WHAT TEXT: is KERNEL_CC what WHAT was built with?
compiler_check()
{
	local have
	have=$("$KERNEL_CC" --version | sed -n 1p)
	[[ $(compiler_version "$have") == "$(compiler_version "$2")" ]] ||
		warning "$1 was built with '$2', here is '$have': the code may differ"
}

# compiler_again: with a profile that was there already. What it was made with may have gone, or been upgraded.
compiler_again()
{
	local text
	text=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"$/\1/p' "$PROFILE/config" 2>/dev/null) || text=
	command -v "$KERNEL_CC" >/dev/null || compiler_missing "${text:-$KERNEL_CC}"
	[[ -z $text ]] || compiler_check "$RELEASE" "$text"
}

# What the running kernel says of itself; the tests replace them.
running_release() { uname -r; }
running_build() { uname -v; }
running_notes() { od -An -v -tx1 /sys/kernel/notes 2>/dev/null | tr -d " \n"; }

# kernel_running_check: a kernel that was upgraded and not yet booted has the release of the running
# one, but other code. An image given with -v is taken for the one that runs.
kernel_running_check()
{
	local build
	[[ -z $VMLINUX && $RELEASE == "$(running_release)" ]] || return 0
	if own_wanted; then
		own_running_check
		return
	fi
	build=$(running_build)
	if [[ $build =~ (^| )Debian\ ([^ ]+) && ${BASH_REMATCH[2]} != "$KERNEL_VERSION" ]]; then
		die "$RELEASE: version ${BASH_REMATCH[2]} runs, but the patch would be made for $KERNEL_VERSION; boot the installed kernel, or give the image that runs with -v"
	fi
}
