# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the stages share these variables
#
# Programs that stand before the compiler's name and compile elsewhere or not at all: ccache, distcc, icecc. What they
# are given must not name the directory of this run, or nothing that ccache keeps would be found again: sources and
# includes are named relative to the tree, -fdebug-prefix-map hides the tree itself, and the object is a compile's
# only output that is needed. Used by stages 4 and 6.

LAUNCHER=			# --launcher; empty: ccache if there is one
LAUNCH=				# shell text before the compiler's name, with a blank at its end; empty: none
LAUNCH_CCACHE=0			# it is ccache
LAUNCH_CHOSEN=1			# by the user; else a compile that fails is tried without it
LAUNCH_ENV=()			# what of the user's environment it sees

# launcher_check: sets the LAUNCH* variables.
launcher_check()
{
	local word words text=
	case $LAUNCHER in
	none)
		return 0 ;;
	'')
		LAUNCH_CHOSEN=0
		command -v ccache >/dev/null || return 0
		words=(ccache) ;;
	*)
		read -r -a words <<<"$LAUNCHER" ;;
	esac
	((${#words[@]})) || usage_error "--launcher: names no program; give none to compile without one"
	command -v -- "${words[0]}" >/dev/null ||
		die "--launcher ${words[0]}: no such program; install it, or give none to compile without one"
	# It is called in other directories.
	[[ ${words[0]} != */* ]] || words[0]=$(readlink -f -- "${words[0]}")
	for word in "${words[@]}"; do
		printf -v word '%q' "$word"
		text+="$word "
	done
	LAUNCH=$text
	[[ ${words[0]##*/} != ccache ]] || LAUNCH_CCACHE=1
	launcher_env
}

# What tells the launcher where its cache, its settings and its hosts are, but not another compiler.
launcher_env()
{
	local name
	for name in $(compgen -e); do
		case $name in
		CCACHE_COMPILER | CCACHE_COMPILERTYPE) ;;
		HOME | XDG_CACHE_HOME | XDG_CONFIG_HOME | XDG_RUNTIME_DIR | CCACHE_* | SCCACHE_* | DISTCC_* | ICECC | ICECC_*)
			LAUNCH_ENV+=("$name=${!name}") ;;
		esac
	done
	# A module that is not part of the kernel may be compiled with headers from anywhere, and one can appear in front of
	# them: there ccache has to look at the preprocessed text, in which -fdebug-prefix-map hides this run's directory. Of
	# others it takes dependencies as the compiler tells them, or it would preprocess each source a second time.
	if oot_wanted; then
		LAUNCH_ENV+=(CCACHE_NODIRECT=1 CCACHE_NOHASHDIR=1)
	elif ((LAUNCH_CCACHE)); then
		LAUNCH_ENV+=(CCACHE_DEPEND=1)
	fi
}

LAUNCH_MARK=			# option that says which files there are

# launcher_mark: sets LAUNCH_MARK. What is kept is good as long as the files that were included are as they were; a launcher
# does not see that a new one is found in front of them. So which there are is part of the command: those of the kernel
# go with its version, those of a module that is not part of it are listed.
launcher_mark()
{
	local sum
	[[ -n $LAUNCH ]] || return 0
	sum=$({ printf '%s\n' "$RELEASE" "$KERNEL_VERSION" &&
		{ ! oot_wanted || (cd "$PROFILE/src" && find "$OOT_DIR" -type f | sort); }; } | sha256sum)
	LAUNCH_MARK=" -DKPATCH_FILES=${sum:0:16}"
}

# launcher_compile TREE COMMAND OUT SOURCE LOG: compiles as the plan says, with the launcher if COMMAND
# begins with the compiler.
launcher_compile()
{
	local output="-c -o '$3' '$4'"
	if [[ -n $LAUNCH && "$2 " == "$KERNEL_CC "* ]]; then
		((!LAUNCH_CCACHE)) || output="-MD -MF '$3.d' $output"
		plan_command "$1" "$LAUNCH$2$LAUNCH_MARK $output" "$5" "${LAUNCH_ENV[@]}" && return 0
		((!LAUNCH_CHOSEN)) || return 1
		output="-c -o '$3' '$4'"
		: >"$5"
		if plan_command "$1" "$2 $output" "$5"; then
			log "${LAUNCH% } failed, where the compiler alone did not"
			return 0
		fi
		return 1
	fi
	plan_command "$1" "$2 $output" "$5"
}
