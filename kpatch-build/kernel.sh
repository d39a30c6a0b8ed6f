# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Stage 1: what Debian shipped for a release: image, configuration, modules, headers, build tools
# and the source of exactly that package version. From the packages that are installed, else
# downloaded by apt, which checks the signatures. Only the first build for a release comes here.

KERNEL_VERSION=		# Debian's version of the packages, 6.1.192-2
KERNEL_BASE=		# 6.1, as in linux-source-6.1

# The files of the packages; set by kernel_locate.
K_BOOT=""
K_MODULES=""
K_HEADERS=""
K_KBUILD=""
K_SOURCE=""

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

# The commands that preparing and building call, and the packages that hold them.
kernel_tools_check()
{
	local pair missing=()
	for pair in make:make gcc-12:gcc-12 ld:binutils nm:binutils objcopy:binutils xz:xz-utils \
		patch:patch filterdiff:patchutils perl:perl-base flock:util-linux \
		dpkg-deb:dpkg apt-get:apt /sbin/modinfo:kmod; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	if ((${#missing[@]})); then
		mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
		die "programs are missing; install them: apt-get install ${missing[*]}"
	fi
}

# kernel_locate: sets the K_* paths.
kernel_locate()
{
	local wanted=() package
	kernel_version
	stage_doing "$RELEASE, Debian $KERNEL_VERSION"
	PACKAGES=("linux-image-$RELEASE" "linux-headers-$RELEASE" "linux-source-$KERNEL_BASE")
	for package in "${PACKAGES[@]}"; do
		[[ $(package_version "$package") == "$KERNEL_VERSION" ]] || wanted+=("$package")
	done

	K_BOOT=/boot
	K_MODULES=/lib/modules/$RELEASE
	K_HEADERS=/usr/src/linux-headers-$RELEASE
	K_SOURCE=/usr/src/linux-source-$KERNEL_BASE.tar.xz
	if [[ " ${wanted[*]} " != *" linux-headers-$RELEASE "* ]]; then
		# Installed headers depend on the build tools of their version.
		K_KBUILD=$(readlink -f -- "$K_HEADERS/scripts") || K_KBUILD=$K_HEADERS/scripts
		K_KBUILD=${K_KBUILD%/*}
	fi
	((${#wanted[@]} == 0)) || kernel_download "${wanted[@]}"
	kernel_files_check
}

# kernel_download PACKAGE...: gets them, unpacks them and points the K_* paths there.
kernel_download()
{
	local package file root=$WORKDIR/packages kbuild
	PACKAGE_DIR=$CACHE/packages
	mkdir -p "$PACKAGE_DIR" "$root" || failed "$CACHE" "$PACKAGE_DIR: cannot be created"
	need_apt_lists
	for package; do
		package_get "$package" "$KERNEL_VERSION"
		# The source package holds one big archive, which is read where it is.
		dpkg-deb -x "$PACKAGE_FILE" "$root" >>"$LOG" 2>&1 ||
			failed "$WORKDIR" "$PACKAGE_FILE: cannot be unpacked; delete it and run again"
		case $package in
		linux-image-*)
			K_BOOT=$root/boot
			K_MODULES=$root/lib/modules/$RELEASE
			[[ -d $K_MODULES ]] || K_MODULES=$root/usr/lib/modules/$RELEASE
			;;
		linux-source-*)
			K_SOURCE=$root/usr/src/linux-source-$KERNEL_BASE.tar.xz
			;;
		linux-headers-*)
			K_HEADERS=$root/usr/src/linux-headers-$RELEASE
			kbuild=$(dpkg-deb -f "$PACKAGE_FILE" Depends | tr ',' '\n' |
				sed -nE 's/^ *(linux-kbuild-[^ ]+).*/\1/p' | sed -n 1p)
			[[ -n $kbuild ]] || die "$package $KERNEL_VERSION: does not say which linux-kbuild it needs"
			if [[ $(package_version "$kbuild") == "$KERNEL_VERSION" ]]; then
				K_KBUILD=/usr/lib/$kbuild
			else
				package_get "$kbuild" "$KERNEL_VERSION"
				dpkg-deb -x "$PACKAGE_FILE" "$root" >>"$LOG" 2>&1 ||
					failed "$WORKDIR" "$PACKAGE_FILE: cannot be unpacked; delete it and run again"
				K_KBUILD=$root/usr/lib/$kbuild
			fi
			;;
		esac
	done
}

# package_get PACKAGE VERSION: sets PACKAGE_FILE. A file gets its name in the cache only after
# apt has verified it.
package_get()
{
	local dir lock file=$PACKAGE_DIR/$1_$2.deb
	PACKAGE_FILE=$file
	[[ ! -e $file ]] || return 0
	# Releases of one version share the source; whoever comes second waits for it.
	exec {lock}<>"$CACHE/profiles/.$1_$2.lock"
	flock -n "$lock" || job flock "$lock"
	if [[ -e $file ]]; then
		exec {lock}>&-
		return 0
	fi
	package_known "$1" "$2" ||
		die "$1 version $2 is not in the archive (any more); run 'apt-get update', install a newer kernel and patch that, or add Debian's snapshot archive of that day to apt's sources"
	stage_doing "downloading $1 $2"
	dir=$(mktemp -d "$PACKAGE_DIR/.get.XXXXXX") || failed "$PACKAGE_DIR" "$PACKAGE_DIR: cannot be written to"
	TMP_FILES+=("$dir")
	if ! job_logged env -C "$dir" apt-get -q download "$1=$2"; then
		failed "$PACKAGE_DIR" "$1 version $2 cannot be downloaded: $(apt_reason); check the network and apt's sources"
	fi
	mv "$dir"/*.deb "$file"
	rmdir "$dir"
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
	for file in "$K_BOOT/vmlinuz-$RELEASE" "$K_BOOT/config-$RELEASE" "$K_MODULES/kernel" \
		"$K_HEADERS/Module.symvers" "$K_HEADERS/include/generated/autoconf.h" \
		"$K_HEADERS/include/config/auto.conf" "$K_KBUILD/scripts/mod/modpost" \
		"$K_KBUILD/tools/objtool/objtool" "$K_SOURCE"; do
		[[ -r $file ]] ||
			die "$file: missing or not readable, although the packages of $RELEASE $KERNEL_VERSION should hold it"
	done
}

# kernel_compiler: the compiler that the kernel was built with, as the headers name it.
kernel_compiler()
{
	local text have
	KERNEL_CC=$(grep -oE 'gcc-[0-9]+' "$K_HEADERS/.kernelvariables" 2>/dev/null | sed -n 1p) || true
	text=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"$/\1/p' "$K_BOOT/config-$RELEASE")
	[[ -n $KERNEL_CC ]] || KERNEL_CC=${text%% *}
	[[ $KERNEL_CC =~ ^gcc-[0-9]+$ ]] ||
		die "$RELEASE was built with '$text'; only kernels built with gcc can be patched"
	command -v "$KERNEL_CC" >/dev/null ||
		die "$RELEASE was built with $KERNEL_CC, which is missing; install it: apt-get install $KERNEL_CC"
	have=$("$KERNEL_CC" --version | sed -n 1p)
	if [[ $have != "$text" ]]; then
		warning "$RELEASE was built with '$text', here is '$have': the code may differ"
	fi
}

# What the running kernel says of itself; the tests replace them.
running_release() { uname -r; }
running_build() { uname -v; }

# kernel_running_check: a kernel that was upgraded and not yet booted has the release of the running
# one, but other code. An image given with -v is taken for the one that runs.
kernel_running_check()
{
	local build
	[[ -z $VMLINUX && $RELEASE == "$(running_release)" ]] || return 0
	build=$(running_build)
	if [[ $build =~ (^| )Debian\ ([^ ]+) && ${BASH_REMATCH[2]} != "$KERNEL_VERSION" ]]; then
		die "$RELEASE: version ${BASH_REMATCH[2]} runs, but the patch would be made for $KERNEL_VERSION; boot the installed kernel, or give the image that runs with -v"
	fi
}
