# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the stages share these variables
#
# kpatch-build cache: what is kept between runs, and getting rid of it.
#
#	profiles/RELEASE	profile.sh; when it was last used is the time of profiles/.RELEASE.lock
#	objects/RELEASE		kept.sh; when an object was last used is its own time
#	packages		downloads, of no use once their profile is there
#	log			of failed runs
#	work			temporary directories; a run that was killed leaves its own
#
# What a build uses at this moment is left alone: it holds the lock of its profile and of its temporary directory.

readonly CACHE_DAYS=30		# default of --days

cache_usage()
{
	cat <<END
Usage: kpatch-build cache list
       kpatch-build cache prune [--days N]
       kpatch-build cache clean [RELEASE...]
What kpatch-build keeps between runs, in $CACHE.

  list    show the releases that are prepared, with their size and the last use, and what else there is
  prune   remove what was not used for N days (default: $CACHE_DAYS), and what killed runs left
  clean   remove all of it, or all of these releases
END
}

cache_command()
{
	local command=${1:-}
	cache_find
	(($# == 0)) || shift
	case $command in
	list)
		(($# == 0)) || usage_error "cache list: takes no arguments"
		cache_list ;;
	prune)
		cache_prune "$@" ;;
	clean)
		cache_clean "$@" ;;
	-h | --help)
		cache_usage ;;
	'')
		usage_error "cache: say what to do: list, prune or clean" ;;
	*)
		usage_error "cache $command: must be list, prune or clean" ;;
	esac
	exit 0
}

# cache_releases: all that something is kept of.
cache_releases()
{
	find "$CACHE/profiles" "$CACHE/objects" -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%f\n' 2>/dev/null | sort -u
}

# size_of PATH...: for people; of what is not there, 0.
size_of()
{
	local path there=()
	for path; do
		[[ ! -e $path ]] || there+=("$path")
	done
	if ((${#there[@]} == 0)); then
		echo 0
		return
	fi
	du -skc -- "${there[@]}" 2>/dev/null | tail -n 1 | cut -f 1 | numfmt --from-unit=1024 --to=iec
}

# days_unused RELEASE: since the last build for it.
days_unused()
{
	local file used=0
	for file in "$CACHE/profiles/.$1.lock" "$CACHE/profiles/$1/complete" "$CACHE/objects/$1"; do
		[[ -e $file ]] || continue
		used=$(stat -c %Y -- "$file")
		break
	done
	echo $((used ? ($(date +%s) - used) / 86400 : 0))
}

cache_list()
{
	local release version days any=''
	while read -r release; do
		[[ -n $any ]] || printf '%-34s %-20s %8s %8s  %s\n' RELEASE VERSION PROFILE OBJECTS 'LAST USE'
		any=1
		version=-
		[[ ! -r $CACHE/profiles/$release/version ]] || version=$(<"$CACHE/profiles/$release/version")
		[[ ! -r $CACHE/profiles/$release/tree ]] || version=$(<"$CACHE/profiles/$release/tree")
		days=$(days_unused "$release")
		printf '%-34s %-20s %8s %8s  %s\n' "$release" "$version" "$(size_of "$CACHE/profiles/$release")" \
			"$(size_of "$CACHE/objects/$release")" "$( ((days == 0)) && echo today || echo "$days $(plural "$days" day) ago")"
	done < <(cache_releases)
	[[ -n $any ]] || echo "no release is prepared"
	printf '%-34s %-20s %8s\n' packages '' "$(size_of "$CACHE/packages")" logs '' "$(size_of "$CACHE/log")" \
		'temporary directories' '' "$(size_of "$CACHE/work")"
	printf '%-34s %-20s %8s\n' "all of $CACHE" '' "$(size_of "$CACHE")"
}

# cache_remove WHAT PATH...: says so.
cache_remove()
{
	local what=$1 size path
	shift
	size=$(size_of "$@")
	for path; do
		remove_tree "$path" || die "$path: cannot be removed; is it yours?"
	done
	printf 'removed %s, %s\n' "$what" "$size"
}

# cache_remove_release RELEASE: fails if a build uses it. What is removed loses its name first, so that a half of it is no
# profile if this is interrupted.
cache_remove_release()
{
	local release=$1 lock old=$CACHE/profiles/.$1.old
	mkdir -p "$CACHE/profiles"
	exec {lock}<>"$CACHE/profiles/.$release.lock"
	if ! flock -n -x "$lock"; then
		exec {lock}>&-
		return 1
	fi
	if [[ -e $CACHE/profiles/$release ]]; then
		remove_tree "$old"
		mv "$CACHE/profiles/$release" "$old" || die "$CACHE/profiles/$release: cannot be removed; is it yours?"
	fi
	cache_remove "$release" "$old" "$CACHE/profiles/.$release.tmp" "$CACHE/objects/$release"
	exec {lock}>&-
}

# cache_leftovers: of runs that were killed.
cache_leftovers()
{
	local file release lock left=()
	for file in "$CACHE"/profiles/.*.tmp "$CACHE"/profiles/.*.old; do
		[[ -e $file ]] || continue
		release=${file##*/.}
		release=${release%.*}
		exec {lock}<>"$CACHE/profiles/.$release.lock"
		if flock -n -x "$lock"; then
			remove_tree "$file"
			printf 'removed what is left of a preparation of %s\n' "$release"
		fi
		exec {lock}>&-
	done
	while IFS= read -r -d '' file; do
		workdir_dead "$file" && left+=("$file")
	done < <(find "$CACHE/work" ${TMPDIR:+"$TMPDIR"} -mindepth 1 -maxdepth 1 -name 'kpatch-build.??????' -type d -user "$EUID" \
		-mmin +1 -print0 2>/dev/null)
	while IFS= read -r -d '' file; do
		left+=("$file")
	done < <(find "$CACHE/packages" "$CACHE/objects" -mindepth 1 -maxdepth 2 -name '.*' -cmin +1440 -print0 2>/dev/null)
	((${#left[@]} == 0)) || cache_remove "what killed runs left" "${left[@]}"
}

# workdir_dead DIRECTORY: whether nobody holds its lock. One that has none may be of an older version.
workdir_dead()
{
	if [[ ! -e $1/lock ]]; then
		[[ -n $(find "$1" -maxdepth 0 -mmin +1440) ]]
		return
	fi
	! workdir_locked "$1"
}

cache_prune()
{
	local days=$CACHE_DAYS release
	while (($#)); do
		case $1 in
		--days=*) days=${1#*=} ;;
		--days)
			(($# > 1)) || usage_error "option --days needs a value"
			days=$2
			shift ;;
		*) usage_error "cache prune $1: must be --days N" ;;
		esac
		shift
	done
	[[ $days =~ ^[0-9]{1,5}$ ]] || usage_error "--days $days: not a number of days"
	days=$((10#$days))
	cache_leftovers
	while read -r release; do
		if (($(days_unused "$release") >= days)); then
			cache_remove_release "$release" || note "$release: in use by another kpatch-build; left"
		elif [[ ! -e $CACHE/profiles/$release ]]; then
			cache_remove "objects of $release" "$CACHE/objects/$release"
		fi
	done < <(cache_releases)
	cache_prune_files objects "$days" m '*.o'
	cache_prune_files log "$days" m '*.log'
	# Apt gives a package the time at which the archive got it.
	if ! cache_preparing; then
		cache_prune_files packages "$days" c '*.deb'
		cache_prune_files packages "$days" c 'linux_*.debian.tar.xz'
	fi
}

# cache_prune_files DIRECTORY DAYS m|c PATTERN: those that were last written (m) or came (c) so long ago.
cache_prune_files()
{
	[[ -d $CACHE/$1 ]] || return 0
	find "$CACHE/$1" -type f -name "$4" ! "-newer$3t" "@$(($(date +%s) + 1 - $2 * 86400))" -printf '%s\n' -delete |
		awk '{ n++; size += $1 } END { if (n) print n, size }' |
		while read -r files size; do
			printf 'removed %d %s of %s, %s\n' "$files" "$(plural "$files" file)" "$1" "$(numfmt --to=iec "$size")"
		done
}

# cache_preparing: whether somebody makes a profile, or may do so.
cache_preparing()
{
	local file lock free=1
	for file in "$CACHE"/profiles/.*.lock; do
		[[ -e $file ]] || continue
		exec {lock}<"$file"
		flock -n -x "$lock" || free=0
		exec {lock}<&-
	done
	((!free))
}

cache_clean()
{
	local release status=0 all=0
	if (($# == 0)); then
		all=1
		mapfile -t < <(cache_releases)
		set -- "${MAPFILE[@]}"
	fi
	for release; do
		release_check "$release"
		[[ -e $CACHE/profiles/$release || -e $CACHE/objects/$release ]] || die "$release: nothing is kept of it"
		if ! cache_remove_release "$release"; then
			error "$release: in use by another kpatch-build; run again when that is done"
			status=$EXIT_ERROR
		fi
	done
	if ((all)); then
		cache_leftovers
		if [[ -e $CACHE/packages ]]; then
			if cache_preparing; then
				error "packages: another kpatch-build may use them; run again when that is done"
				status=$EXIT_ERROR
			else
				cache_remove packages "$CACHE/packages"
			fi
		fi
		[[ ! -e $CACHE/log ]] || cache_remove logs "$CACHE/log"
	fi
	exit "$status"
}
