# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the stages share these variables
#
# Stage 2: the kernel profile, all that later stages need to know of one release:
#
#	src/		source, prepared; read-only, and never written to again
#	plan		how each object is compiled (doc/architecture.md)
#	includes	the include graph (includes.awk): which file may include which, and how it is found
#	c-includes	those of its lines whose INCLUDED is a .c file
#	symtab		symbols of the shipped image, positions and structure sizes
#	vmlinuz config Module.symvers modules/	as shipped
#	module-flags	the plan's COMPILE<TAB>OBJTOOL for a module of our own
#	link-flags	ld's flags for modules
#	version cc	Debian's version of the packages; the compiler
#	complete	format of the profile; written last
#
# It is made once, in a directory of its own that is renamed when it is complete. Nothing of the
# kernel is compiled, and nothing configured: the generated headers, the build tools and objtool
# are those of Debian's own build, from the packages linux-headers-* and linux-kbuild-*. So the
# configuration cannot drift, whatever is or is not installed here.

readonly PROFILE_FORMAT='kpatch-profile 3'

# profile_get: sets PROFILE, KERNEL_CC and KERNEL_VERSION, and holds a shared lock on the profile,
# so that nobody replaces it under us.
profile_get()
{
	stage_begin kernel "$RELEASE"
	own_state_get
	profile_open
	# The time of the last use, for "kpatch-build cache".
	touch -c "$CACHE/profiles/.$PROFILE_NAME.lock" 2>>"$LOG" || true
	if ! profile_complete; then
		[[ -w $CACHE/profiles ]] ||
			failed "$CACHE" "$CACHE/profiles: cannot be written to, and has no profile of $RELEASE; set XDG_CACHE_HOME to a writable directory"
		flock -u "$PROFILE_LOCK"
		profile_lock -x
		# Whoever had the lock may just have made it.
		if ! profile_complete; then
			profile_make
		fi
		flock -s "$PROFILE_LOCK"
	fi
	profiles_clean
	KERNEL_VERSION=$(<"$PROFILE/version")
	KERNEL_CC=$(<"$PROFILE/cc")
	kernel_running_check
	stage_end "$RELEASE, $(kernel_origin)"
	compiler_again
}

# profile_open: sets PROFILE, and takes its lock, shared.
profile_open()
{
	PROFILE=$CACHE/profiles/$PROFILE_NAME
	mkdir -p "$CACHE/profiles" 2>>"$LOG" ||
		failed "$CACHE" "$CACHE/profiles: cannot be created; set XDG_CACHE_HOME to a writable directory"
	profile_lock_open "$CACHE/profiles/.$PROFILE_NAME.lock"
	profile_lock -s
}

# profile_lock_open FILE: in the cache of another user, or one that is read-only, it can only be read. If it cannot be made
# there, nobody changes a profile either.
profile_lock_open()
{
	if [[ -w $1 || (! -e $1 && -w ${1%/*}) ]]; then
		exec {PROFILE_LOCK}<>"$1"
	elif [[ -r $1 ]]; then
		exec {PROFILE_LOCK}<"$1"
	else
		exec {PROFILE_LOCK}<"${1%/*}"
	fi
}

# profiles_clean: what runs have left that were killed while they made a profile. Nobody makes that of RELEASE now.
profiles_clean()
{
	local file lock release
	[[ -w $CACHE/profiles ]] || return 0
	for file in "$CACHE"/profiles/.*.tmp "$CACHE"/profiles/.*.old; do
		[[ -e $file ]] || continue
		release=${file##*/.}
		release=${release%.*}
		if [[ $release == "$PROFILE_NAME" ]]; then
			remove_tree "$file" 2>>"$LOG" || true
			continue
		fi
		exec {lock}<>"$CACHE/profiles/.$release.lock" || continue
		! flock -n -x "$lock" || remove_tree "$file" 2>>"$LOG" || true
		exec {lock}>&-
	done
}

# profile_lock -s|-x: builders share the lock, who makes the profile has it alone.
profile_lock()
{
	if ! flock -n "$1" "$PROFILE_LOCK"; then
		# If it can be shared, it is held by builders. Asking for the other kind gives it up again.
		if [[ $1 == -x && -e $PROFILE ]] && flock -n -s "$PROFILE_LOCK"; then
			note "another kpatch-build uses the old profile of $RELEASE; waiting for it"
		else
			note "another kpatch-build prepares $RELEASE; waiting for it"
		fi
		job flock "$1" "$PROFILE_LOCK"
	fi
}

# Complete, of our format, and of the installed version if the kernel is installed.
profile_complete()
{
	local installed
	[[ -e $PROFILE/complete && $(<"$PROFILE/complete") == "$PROFILE_FORMAT" ]] || return 1
	if own_wanted; then
		own_complete
		return
	fi
	installed=$(package_version "linux-image-$RELEASE")
	[[ -z $installed || $installed == "$(<"$PROFILE/version")" ]]
}

profile_make()
{
	local tmp=$CACHE/profiles/.$PROFILE_NAME.tmp old=$CACHE/profiles/.$PROFILE_NAME.old
	if own_wanted; then
		kernel_tools_check "${OWN_TOOLS[@]}"
		own_locate
	else
		kernel_tools_check "${DEBIAN_TOOLS[@]}"
		kernel_locate
	fi
	kernel_compiler
	own_wanted || featureset_find
	# What an interrupted run left; the lock says that nobody works on it.
	remove_tree "$tmp"
	remove_tree "$old"
	note "preparing $RELEASE; this is done once and takes about a minute"
	mkdir "$tmp"
	TMP_FILES+=("$tmp")
	PROFILE_TMP=$tmp

	if own_wanted; then
		own_shipped_files
		config_check
		own_copy
		own_prepare
	else
		profile_shipped_files
		profile_config_check
		profile_unpack
		featureset_apply "$tmp/src"
		profile_overlay
	fi
	profile_plan
	profile_generate
	profile_includes
	if own_wanted; then
		own_structs
		printf '%s\n' "$OWN_SOURCE" >"$tmp/tree"
		printf '%s\n' "$OWN_STATE" >"$tmp/state"
	fi
	printf '%s\n' "$KERNEL_VERSION" >"$tmp/version"
	printf '%s\n' "$KERNEL_CC" >"$tmp/cc"
	chmod -R a-w "$tmp/src" "$tmp/modules"
	printf '%s\n' "$PROFILE_FORMAT" >"$tmp/complete"
	sync -f "$tmp" || true

	if [[ -e $PROFILE ]]; then
		mv "$PROFILE" "$old"
	fi
	mv "$tmp" "$PROFILE"
	remove_tree "$old"
	# Compiled with the headers of the old one.
	remove_tree "$CACHE/objects/$PROFILE_NAME"
}

profile_failed()
{
	failed "$PROFILE_TMP" "$@"
}

profile_shipped_files()
{
	local to=$PROFILE_TMP
	stage_doing "copying the shipped files"
	{
		cp "$K_IMAGE" "$to/vmlinuz" &&
		cp "$K_CONFIG" "$to/config" &&
		cp "$K_HEADERS/Module.symvers" "$to/Module.symvers" &&
		cp -R "$K_MODULES" "$to/modules" &&
		rm -f "$to/modules"/{build,source,vmlinuz,config,System.map}
	} 2>>"$LOG" || profile_failed "the shipped files of $RELEASE cannot be copied"
	chmod -R u+w "$to/modules"
	profile_symtab
}

profile_symtab()
{
	stage_doing "reading the image"
	symtab_read "$PROFILE_TMP/vmlinuz" "$PROFILE_TMP/symtab" ||
		profile_failed "$(readlink -f -- "$K_IMAGE"): its symbols cannot be read"
}

# The configuration that the headers were made with is the image's, and one that can be patched.
# Options that Debian removes from the packaged copy:
#   BUILD_SALT            goes into an ELF note that nothing here has
#   MODULE_SIG_ALL, MODULE_SIG_KEY, SYSTEM_TRUSTED_KEYS
#                         signing, done after the build, with a key that is not public
profile_config_check()
{
	local differ
	local harmless='^CONFIG_(BUILD_SALT|MODULE_SIG_ALL|MODULE_SIG_KEY|SYSTEM_TRUSTED_KEYS)='
	differ=$(config_differences "$K_HEADERS/.config" "$K_CONFIG" "$harmless")
	[[ -z $differ ]] ||
		die "linux-headers-$RELEASE was made with another configuration than linux-image-$RELEASE: ${differ//$'\n'/ }; install both in the same version"
	config_check
}

config_check()
{
	local option
	for option in LIVEPATCH MODULES KALLSYMS_ALL; do
		grep -qx "CONFIG_$option=y" "$K_CONFIG" ||
			refuse "$RELEASE: its configuration lacks CONFIG_$option; livepatches cannot be made for it"
	done
	for option in RANDSTRUCT GCC_PLUGIN_RANDSTRUCT GCC_PLUGIN_LATENT_ENTROPY DEBUG_INFO_SPLIT \
		LD_DEAD_CODE_DATA_ELIMINATION LTO_CLANG; do
		! grep -qx "CONFIG_$option=y" "$K_CONFIG" ||
			refuse "$RELEASE: its configuration has CONFIG_$option, with which an object compiled alone is not what runs in the kernel"
	done
	! grep -qx CONFIG_KASAN=y "$K_CONFIG" ||
		refuse "$RELEASE: its configuration has CONFIG_KASAN, which gives each object functions and tables of its variables that no livepatch can replace; try the patch on a kernel without it"
}

# config_differences A B HARMLESS: the options that differ, but those whose lines match HARMLESS.
config_differences()
{
	diff <(config_lines "$1") <(config_lines "$2") | sed -n 's/^[<>] //p' | grep -vE "$3" | sed 's/=.*//' | sort -u || true
}

config_lines()
{
	grep -E '^CONFIG_[A-Za-z0-9_]+=' "$1" | sort
}

# Documentation, tests and other architectures are not needed to compile an object.
profile_unpack()
{
	stage_doing "unpacking the source"
	mkdir "$PROFILE_TMP/src"
	job_logged tar -xJf "$K_SOURCE" -C "$PROFILE_TMP/src" --strip-components=1 --no-same-owner \
		--anchored --wildcards --exclude='*/Documentation/*' --exclude='*/tools/testing' \
		--exclude='*/tools/perf' --exclude='linux-source-*/arch/[a-wyz]*/*' \
		--exclude='linux-source-*/arch/xtensa/*' ||
		profile_failed "$K_SOURCE: cannot be unpacked"
	[[ -f $PROFILE_TMP/src/Makefile && -d $PROFILE_TMP/src/arch/x86 ]] ||
		die "$K_SOURCE: holds no kernel source for this architecture"
}

# The results of Debian's own "make prepare", laid over the source.
profile_overlay()
{
	local src=$PROFILE_TMP/src file release
	stage_doing "adding generated headers and build tools"
	{
		cp -R "$K_HEADERS/include/." "$src/include/" &&
		cp -R "$K_HEADERS/arch/." "$src/arch/" &&
		cp "$K_HEADERS/.config" "$src/.config" &&
		cp "$K_HEADERS/Module.symvers" "$src/Module.symvers"
	} 2>>"$LOG" || profile_failed "the headers of $RELEASE cannot be copied"
	chmod -R u+w "$src/include" "$src/arch" "$src/.config"

	# Programs only: scripts are those of the source. modpost may be a wrapper of several.
	while read -r file; do
		case $(head -c 4 "$K_KBUILD/$file" | tr -d '\0') in
		$'\x7fELF') ;;
		*) continue ;;
		esac
		mkdir -p "$src/${file%/*}"
		cp "$K_KBUILD/$file" "$src/$file" 2>>"$LOG" || profile_failed "$K_KBUILD/$file: cannot be copied"
		chmod u+w "$src/$file"
	done < <(cd "$K_KBUILD" && find scripts tools -type f -perm -u+x | sort)
	# Debian wraps objtool, which knows one architecture, in a program that chooses it by a variable of make.
	if [[ -e $src/tools/objtool/objtool.real-x86 ]]; then
		mv "$src/tools/objtool/objtool.real-x86" "$src/tools/objtool/objtool"
	fi
	"$src/tools/objtool/objtool" --help >>"$LOG" 2>&1 || [[ $? -eq 129 || $? -eq 1 ]] ||
		die "objtool of $RELEASE does not run here; install the packages that linux-kbuild-* depends on"

	release=$(sed -n 's/^#define UTS_RELEASE "\(.*\)"$/\1/p' "$src/include/generated/utsrelease.h")
	[[ $release == "$RELEASE" ]] || die "linux-headers-$RELEASE: is of release '$release'"
	# Make would configure the kernel again if these looked older than .config.
	touch "$src/include/config/auto.conf" "$src/include/config/auto.conf.cmd" \
		"$src/include/generated/autoconf.h" "$src/include/generated/rustc_cfg"
}

# profile_make_goal TEXT OPTION...: runs make in the source with the goal "kpatch" that TEXT, read by
# the kernel's own Makefile, defines. The environment of the user must not change the plan.
profile_make_goal()
{
	local text=$1
	shift
	printf 'include Makefile\n.PHONY: kpatch\n%s\n' "$text" >"$PROFILE_TMP/kpatch.mk"
	log "make goal: $text"
	profile_run_make -f "$PROFILE_TMP/kpatch.mk" "$@" kpatch
}

profile_run_make()
{
	job env -i PATH="$PATH" HOME=/dev/null LC_ALL=C make -C "$PROFILE_TMP/src" --no-print-directory \
		V=1 CC="$KERNEL_CC" HOSTCC="$KERNEL_CC" ARCH=x86 KERNELRELEASE="$RELEASE" "$@"
}

# The compile plan: what make would do, told by make. One job: several would mix their lines.
profile_plan()
{
	local src=$PROFILE_TMP/src status=0 dir objects least
	stage_doing "asking make for the compile plan"
	# Programs that make wants to see before it lists what depends on them.
	for dir in scripts/selinux/genheaders scripts/ipe/polgen; do
		[[ ! -d $src/$dir ]] || profile_make_goal "kpatch:
	+\$(MAKE) \$(build)=$dir" >>"$LOG" 2>&1 ||
			profile_failed "the programs that generate source files cannot be built"
	done
	! grep -qE '^CONFIG_ASN1=[ym]$' "$PROFILE_TMP/config" || profile_make_goal "kpatch:
	+\$(MAKE) \$(build)=scripts scripts/asn1_compiler" >>"$LOG" 2>&1 ||
		profile_failed "the programs that generate source files cannot be built"
	# The key that Debian signs with is not there; its certificate is not needed either.
	mkdir -p "$src/output"
	: >"$src/output/signing_key.pem"
	profile_make_goal "kpatch:
	+\$(MAKE) \$(build)=. need-builtin=1 need-modorder=1" -n -k -j1 KBUILD_MODULES=1 KBUILD_BUILTIN=1 \
		>"$PROFILE_TMP/make.out" 2>"$PROFILE_TMP/make.err" || status=$?
	rm -r "$src/output"
	cat "$PROFILE_TMP/make.err" >>"$LOG"
	log "make -n: exit status $status"

	: >"$PROFILE_TMP/generated"
	: >"$PROFILE_TMP/rest"
	plan_parse "$PROFILE_TMP/make.out" "$PROFILE_TMP" | plan_objtool | plan_names >"$PROFILE_TMP/plan" ||
		profile_failed "the compile plan of $RELEASE cannot be written"
	rm "$PROFILE_TMP/make.out" "$PROFILE_TMP/make.err"
	objects=$(wc -l <"$PROFILE_TMP/plan")
	log "plan: $objects objects"
	# Distributions have thousands, the smallest kernel has hundreds; anything less is a plan that was cut off.
	least=$(own_wanted && echo 100 || echo 500)
	((objects >= least)) || profile_failed "make lists only $objects objects of $RELEASE"
	module_flags "$PROFILE_TMP/plan" >"$PROFILE_TMP/module-flags" || own_module_flags >"$PROFILE_TMP/module-flags"
}

# plan_parse MAKE_OUTPUT DIR: prints the plan; writes DIR/generated and DIR/rest.
plan_parse()
{
	awk -v generated="$2/generated" -v rest="$2/rest" -f "$STAGES/plan.awk" "$1" | sort
}

# plan_objtool: with IBT the kernel's build runs objtool on linked modules and on vmlinux.o only. What it does to
# them it must do to each object here. The command is that of a module which is one object, without what
# needs the whole: to look for addresses that nobody takes, and to check calls between objects.
plan_objtool()
{
	awk -F '\t' -v OFS='\t' '
		{ line[NR] = $0 }
		$6 ~ / --link( |$)/ && command == "" {
			command = $6 " "
			while (sub(/ --(link|module|ibt|cfi) /, " ", command))
				;
			gsub(/ +/, " ", command)
			sub(/ $/, "", command)
		}
		END {
			for (i = 1; i <= NR; i++) {
				if (command != "") {
					split(line[i], field, "\t")
					if (field[4] == "c")
						line[i] = field[1] OFS field[2] OFS field[3] OFS field[4] OFS field[5] OFS \
							command (field[3] == "vmlinux" ? "" : " --module")
				}
				print line[i]
			}
		}'
}

# plan_names: headers call themselves include/... in a kernel that was built out of its source, as Debian's are, ./include/... in
# one that was built in it. Newer kernels, from 6.13 or so on, have the option for that in the former only; here it is the latter.
plan_names()
{
	if own_wanted && [[ ! -e ${OWN_VMLINUX%/*}/source ]]; then
		cat
	else
		awk -F '\t' -v OFS='\t' '$4 == "c" && $5 !~ / -fmacro-prefix-map=/ { $5 = $5 " -fmacro-prefix-map=./=" } { print }'
	fi
}

# module_flags PLAN: the flags that most module objects have are the ones of no special directory.
module_flags()
{
	awk -F '\t' '
		$3 == "vmlinux" || $4 != "c" { next }
		{
			flags = $5
			gsub(/ -D(KBUILD_(BASENAME|MODNAME|MODFILE)|__KBUILD_MODNAME)=[^ ]*/, "", flags)
			key = flags "\t" $6
			if (++count[key] > most) { most = count[key]; best = key }
		}
		END { if (most) print best; exit !most }' "$1"
}

# Sources and headers that a build would generate. Those of the vdso and of the real-mode code need
# a link, and what needs them cannot be patched.
profile_generate()
{
	local targets
	stage_doing "generating source files"
	targets=$(sort "$PROFILE_TMP/generated" | while IFS=$'\t' read -r dir file; do
		case $dir in
		arch/x86/entry/vdso* | arch/x86/realmode* | arch/x86/purgatory* | arch/x86/boot*) continue ;;
		certs | usr | init | include/*) continue ;;
		esac
		[[ -e $PROFILE_TMP/src/$file ]] || printf '%s\t%s\n' "$dir" "$file"
	done | awk -F '\t' '
		$1 != dir { dir = $1; printf "\n\t+$(MAKE) $(build)=%s", dir }
		{ printf " %s", $2 }')
	# What fails here is said, by name, when a patch touches an object that needs it.
	profile_make_goal "kpatch:
	+\$(MAKE) \$(build)=scripts scripts/module.lds
	@echo \$(KBUILD_LDFLAGS) >../link-flags.1
	@echo \$(KBUILD_LDFLAGS_MODULE) \$(LDFLAGS_MODULE) >../link-flags.2$targets" -k -j"$JOBS" \
		>>"$LOG" 2>&1 || log "some source files were not generated"
	[[ -e $PROFILE_TMP/src/scripts/module.lds && -s $PROFILE_TMP/link-flags.1 ]] ||
		profile_failed "scripts/module.lds: cannot be generated"
	cat "$PROFILE_TMP/link-flags.1" "$PROFILE_TMP/link-flags.2" >"$PROFILE_TMP/link-flags"
	rm "$PROFILE_TMP"/link-flags.[12] "$PROFILE_TMP/kpatch.mk"
}

# Which file may include which: an object changes with each file that it includes, at any depth.
profile_includes()
{
	stage_doing "looking for includes"
	includes_write "$PROFILE_TMP/src" "$PROFILE_TMP/plan" >"$PROFILE_TMP/includes" 2>>"$LOG" ||
		profile_failed "the include graph of $RELEASE cannot be written"
	awk -F '\t' '$2 ~ /\.c$/' "$PROFILE_TMP/includes" >"$PROFILE_TMP/c-includes"
}

# includes_write SRC PLAN: see includes.awk. What it reads are #include lines, the definitions of macros that an
# #include can name, and what a program of the build prints into files that it makes.
includes_write()
{
	local define='[A-Za-z0-9_]+[[:blank:]]+["<][^">]+\.h[">]|CONFIG_[A-Z0-9_]+[[:blank:]]+"'
	define+='|TRACE_SYSTEM[[:blank:]]|TRACE_INCLUDE_(FILE|PATH)[[:blank:]]'
	(
		cd "$1" || exit
		# A symbolic link to a header is another place to include from.
		find . -type l -xtype f -print0 | xargs -0 grep -rHIE "^([^\"]*\\*/)?[[:blank:]]*#[[:blank:]]*(include|import|define[[:blank:]]+($define))|\"#include <" . |
			sed 's|^\./||' |
			awk -f "$STAGES/paths.awk" -f "$STAGES/includes.awk" \
				<(find . \( -type f -o -type l \) -printf '%P\n') "$2" - |
			sort -u
	)
}
