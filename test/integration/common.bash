# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the integration tests share: which kernel, how to build a livepatch for it, how to boot it.
#
# The kernel under test is a stock one. Environment, all optional:
#   KPATCH_TEST_RELEASE   Debian release name (default: the newest cloud kernel of Debian's 6.1, or 6.12 where there is
#                         none, that the archive has the exact source of)
#   KPATCH_TEST_KERNEL    its vmlinuz     } default: from the profile that kpatch-build
#   KPATCH_TEST_MODULES   its modules     } keeps in its cache
#   KPATCH_TEST_ACCEL     kvm or tcg, see vm --help
#   KPATCH_TEST_BUILD     a kernel of test/kernel instead: the directory that "build" or "stock" printed

INTEGRATION=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
TOP=$(readlink -f "$INTEGRATION/../..")
PATCHES=$INTEGRATION/patches
export INTEGRATION TOP PATCHES

vm()
{
	"$INTEGRATION/vm" "$@"
}

# The versions of package $1 that apt knows, one per line.
_versions()
{
	apt-cache madison "$1" 2>/dev/null | cut -d '|' -f 2 | tr -d ' '
}

# The version that this Debian's kernels are based on.
_base()
{
	if [[ -z $(_versions linux-source-6.1) && -n $(_versions linux-source-6.12) ]]; then
		echo 6.12
	else
		echo 6.1
	fi
}

# releases BASE [FLAVOUR]: the kernels of Debian's BASE (6.1), FLAVOUR cloud, rt or amd64 (all hardware), of which the
# archive still has the exact source and the programs of their build, the newest first.
releases()
{
	local base=$1 flavour=${2:-cloud} packages kbuild programs
	[[ $flavour == amd64 ]] || flavour+=-amd64
	mapfile -t packages < <(apt-cache pkgnames "linux-image-$base." | grep -xE -- "linux-image-[^-]+(-[0-9]+)?-$flavour" | sort -rV)
	((${#packages[@]} > 0)) || return 0
	# Each line: a release, and the package with those programs; of 6.1 all releases share one.
	kbuild=$(apt-cache depends "${packages[@]/#linux-image-/linux-headers-}" 2>/dev/null | awk '
		/^[^ ]/ { release = $1; sub(/^linux-headers-/, "", release) }
		$1 == "Depends:" && $2 ~ /^linux-kbuild-/ { print release, $2 }')
	mapfile -t programs < <(cut -d ' ' -f 2 <<< "$kbuild" | sort -u)
	awk -v from="linux-source-$base" '
		NR == FNR { known[$1, $3]; versions[$1] = versions[$1] " " $3; next }
		{
			count = split(versions["linux-image-" $1], version)
			for (i = 1; i <= count; i++)
				if ((from, version[i]) in known && ($2, version[i]) in known) {
					print $1
					break
				}
		}' <(apt-cache madison "linux-source-$base" "${packages[@]}" "${programs[@]}" 2>/dev/null) - <<< "$kbuild"
}

# newest_release BASE [FLAVOUR]: the first of them.
newest_release()
{
	local found
	read -r found < <(releases "$@") || { echo "no linux-image-$1.*-${2:-cloud} with its source in apt; set KPATCH_TEST_RELEASE" >&2; return 1; }
	echo "$found"
}

# Sets KPATCH_TEST_RELEASE. The answer is the same for all tests of a run.
need_release()
{
	local memo=${BATS_RUN_TMPDIR:-/nonexistent}/release
	if [[ -n ${KPATCH_TEST_BUILD:-} ]]; then
		KPATCH_TEST_RELEASE=$(< "$KPATCH_TEST_BUILD/release")
	fi
	if [[ -z ${KPATCH_TEST_RELEASE:-} ]]; then
		if [[ -r $memo ]]; then
			KPATCH_TEST_RELEASE=$(< "$memo")
		else
			KPATCH_TEST_RELEASE=$(newest_release "$(_base)") || return 1
			if [[ -d ${memo%/*} ]]; then
				echo "$KPATCH_TEST_RELEASE" > "$memo.$$"
				mv -f "$memo.$$" "$memo"
			fi
		fi
	fi
	export KPATCH_TEST_RELEASE
}

# kernel_profile: where kpatch-build keeps what it has made of the release under test.
kernel_profile()
{
	printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/kpatch/profiles/$KPATCH_TEST_RELEASE"
}

# line_of FILE TEXT...: in the source of the kernel under test, the number of the first line with the TEXT; with several, of
# the last one, behind the line of the one before it. It differs between versions.
line_of()
{
	local file line=0 text
	file=$(kernel_profile)/src/$1
	shift
	for text; do
		line=$(text=$text awk -v line="$line" '
			NR > line && index($0, ENVIRON["text"]) { print NR; found = 1; exit }
			END { exit !found }' "$file") || { echo "$file: has no line with '$text'" >&2; return 1; }
	done
	echo "$line"
}

# source_archive BASE VERSION: the packed source of that kernel. Its package may be installed, or in kpatch-build's cache, or
# have been removed from there.
source_archive()
{
	local package=${XDG_CACHE_HOME:-$HOME/.cache}/kpatch/packages/linux-source-$1_$2.deb dir status=0
	if [[ $(dpkg-query -W -f '${Version}' "linux-source-$1" 2> /dev/null) == "$2" ]]; then
		cat "/usr/src/linux-source-$1.tar.xz"
	elif [[ -e $package ]]; then
		dpkg-deb --fsys-tarfile "$package" | tar -xO "./usr/src/linux-source-$1.tar.xz"
	else
		dir=$(mktemp -d)
		(cd "$dir" && apt-get -q download "linux-source-$1=$2" >&2 &&
			dpkg-deb --fsys-tarfile ./*.deb | tar -xO "./usr/src/linux-source-$1.tar.xz") || status=$?
		rm -rf "$dir"
		return "$status"
	fi
}

# Sets KPATCH_TEST_KERNEL and KPATCH_TEST_MODULES. A release that was never built for gets its
# profile by building a patch that fits all of them.
need_kernel()
{
	local profile
	if [[ -n ${KPATCH_TEST_BUILD:-} ]]; then
		KPATCH_TEST_KERNEL=$KPATCH_TEST_BUILD/vmlinuz
		KPATCH_TEST_MODULES=$KPATCH_TEST_BUILD/modules
		need_release
	fi
	if [[ -z ${KPATCH_TEST_KERNEL:-} || -z ${KPATCH_TEST_MODULES:-} ]]; then
		need_release || return 1
		profile=$(kernel_profile)
		if [[ ! -r $profile/vmlinuz || ! -d $profile/modules ]]; then
			"$TOP/kpatch-build/kpatch-build" -a "$KPATCH_TEST_RELEASE" \
				-o "$BATS_TEST_TMPDIR" "$PATCHES/version-string.patch" || return 1
		fi
		: "${KPATCH_TEST_KERNEL:=$profile/vmlinuz}"
		: "${KPATCH_TEST_MODULES:=$profile/modules}"
	fi
	export KPATCH_TEST_KERNEL KPATCH_TEST_MODULES
}

# build STATUS NAME [OPTION...] PATCH...: run kpatch-build and require its exit STATUS. Patches are
# named without their directory. Sets $output (all that it printed) and, for a built module, $ko.
build()
{
	local expected=$1 name=$2 argument
	local arguments=()
	shift 2
	need_release || return 1
	for argument in "$@"; do
		if [[ $argument == *.patch && $argument != */* ]]; then
			argument=$PATCHES/$argument
		fi
		arguments+=("$argument")
	done
	ko=$BATS_TEST_TMPDIR/livepatch-$name.ko
	status=0
	output=$("$TOP/kpatch-build/kpatch-build" -a "$KPATCH_TEST_RELEASE" -n "$name" \
		-o "$BATS_TEST_TMPDIR" "${arguments[@]}" 2>&1 3>&-) || status=$?
	if [[ $status -ne $expected ]]; then
		echo "kpatch-build ended with $status, expected $expected:"
		printf '%s\n' "$output"
		return 1
	fi
	if [[ $status -eq 0 && ! -s $ko ]]; then
		echo "kpatch-build ended with 0 but there is no $ko:"
		printf '%s\n' "$output"
		return 1
	fi
}

# output_has REGEXP: a line of kpatch-build's output matches.
output_has()
{
	if ! grep -Eq -- "$1" <<< "$output"; then
		echo "no line matches /$1/ in:"
		printf '%s\n' "$output"
		return 1
	fi
}

# klp_relocations KO: every livepatch relocation as a tuple
# SECTION<tab>TYPE<tab>SYMBOL, sorted: which section of the module is bound to what.
klp_relocations()
{
	readelf -rW "$1" | awk '
		/^Relocation section/ { gsub(/\047/, "", $3); section = $3 }
		section ~ /^\.klp\.rela\./ && $3 ~ /^R_X86_64_/ { print section "\t" $3 "\t" $5 }' |
		sort
}

# module_sane KO: what every livepatch module must be, whatever its patch does.
module_sane()
{
	local bad profile
	profile=$(kernel_profile)
	[[ $(modinfo -F vermagic "$1") == "$KPATCH_TEST_RELEASE "* ]] || {
		echo "vermagic: $(modinfo -F vermagic "$1")"
		return 1
	}
	[[ $(modinfo -F livepatch "$1") == Y ]] || { echo "not marked as a livepatch"; return 1; }
	[[ $(modinfo -F license "$1") == GPL ]] || { echo "license is not GPL"; return 1; }
	bad=$(readelf -sW "$1" | awk '$7 == "UND" && $8 ~ /^\.kpatch/ { print $8 }')
	[[ -z $bad ]] || { echo "unconverted symbols: $bad"; return 1; }
	bad=$(klp_relocations "$1" | awk -F '\t' '$3 !~ /^\.klp\.sym\.[^.]+\..+,[0-9]+$/')
	[[ -z $bad ]] || { echo "livepatch relocations against other symbols: $bad"; return 1; }
	# What stays an ordinary reference is checked by MODVERSIONS, so it must be an export of
	# the kernel proper: a module's can arrive later than the livepatch.
	bad=$(comm -13 <(awk -F '\t' '$3 == "vmlinux" { print $2 }' "$profile/Module.symvers" | sort) \
		<(readelf -sW "$1" | awk '$7 == "UND" && $8 != "" { print $8 }' | sort -u))
	[[ -z $bad ]] || { echo "references to what the kernel proper does not export: $bad"; return 1; }
	bad=$(comm -12 <(awk -F '\t' '$3 == "vmlinux" { print $2 }' "$profile/Module.symvers" | sort) \
		<(klp_relocations "$1" | sed -n 's/.*\.klp\.sym\.vmlinux\.\([^,]*\),.*/\1/p' | sort -u))
	[[ -z $bad ]] || { echo "exports reached past MODVERSIONS: $bad"; return 1; }
}

# guest_script: standard input, behind the line that every guest script starts with, in guest.sh.
guest_script()
{
	{
		echo '. ./guest-lib.sh'
		cat
	} > "$BATS_TEST_TMPDIR/guest.sh"
}

# boot [VM OPTION...]: run guest.sh in the kernel under test and require that it succeeds with a
# clean kernel log, which stays in kernel.log.
boot()
{
	local status=0
	"$INTEGRATION/vm" --log "$BATS_TEST_TMPDIR/kernel.log" "$@" \
		"$BATS_TEST_TMPDIR/guest.sh" 3>&- || status=$?
	if [[ $status -ne 0 ]]; then
		echo "guest ended with $status; end of its kernel log:"
		sed '1,/Run .init as init/d' "$BATS_TEST_TMPDIR/kernel.log" | tail -n 40
		return 1
	fi
}
