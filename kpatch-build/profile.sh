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

readonly PROFILE_FORMAT='kpatch-profile 2'

# profile_get: sets PROFILE, KERNEL_CC and KERNEL_VERSION, and holds a shared lock on the profile,
# so that nobody replaces it under us.
profile_get()
{
	stage_begin kernel "$RELEASE"
	PROFILE=$CACHE/profiles/$RELEASE
	mkdir -p "$CACHE/profiles" 2>>"$LOG" ||
		failed "$CACHE" "$CACHE/profiles: cannot be created; set XDG_CACHE_HOME to a writable directory"
	exec {PROFILE_LOCK}<>"$CACHE/profiles/.$RELEASE.lock"
	profile_lock -s
	# The time of the last use, for "kpatch-build cache".
	touch -c "$CACHE/profiles/.$RELEASE.lock" 2>>"$LOG" || true
	if ! profile_complete; then
		flock -u "$PROFILE_LOCK"
		profile_lock -x
		# Whoever had the lock may just have made it.
		if ! profile_complete; then
			profile_make
		fi
		flock -s "$PROFILE_LOCK"
	fi
	KERNEL_VERSION=$(<"$PROFILE/version")
	KERNEL_CC=$(<"$PROFILE/cc")
	kernel_running_check
	stage_end "$RELEASE, Debian $KERNEL_VERSION"
	command -v "$KERNEL_CC" >/dev/null ||
		die "$RELEASE was built with $KERNEL_CC, which is missing; install it: apt-get install $KERNEL_CC"
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
	# Came later than the format.
	[[ -e $PROFILE/includes ]] || return 1
	installed=$(package_version "linux-image-$RELEASE")
	[[ -z $installed || $installed == "$(<"$PROFILE/version")" ]]
}

profile_make()
{
	local tmp=$CACHE/profiles/.$RELEASE.tmp old=$CACHE/profiles/.$RELEASE.old
	kernel_tools_check
	kernel_locate
	kernel_compiler
	# What an interrupted run left; the lock says that nobody works on it.
	remove_tree "$tmp"
	remove_tree "$old"
	note "preparing $RELEASE; this is done once and takes about a minute"
	mkdir "$tmp"
	TMP_FILES+=("$tmp")
	PROFILE_TMP=$tmp

	profile_shipped_files
	profile_config_check
	profile_unpack
	profile_overlay
	profile_plan
	profile_generate
	profile_includes
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
	remove_tree "$CACHE/objects/$RELEASE"
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
		cp "$K_BOOT/vmlinuz-$RELEASE" "$to/vmlinuz" &&
		cp "$K_BOOT/config-$RELEASE" "$to/config" &&
		cp "$K_HEADERS/Module.symvers" "$to/Module.symvers" &&
		cp -R "$K_MODULES" "$to/modules" &&
		rm -f "$to/modules/build" "$to/modules/source"
	} 2>>"$LOG" || profile_failed "the shipped files of $RELEASE cannot be copied"
	chmod -R u+w "$to/modules"
	stage_doing "reading the image"
	job "$(tool kpatch-image)" symtab "$to/vmlinuz" >"$to/symtab" ||
		profile_failed "vmlinuz-$RELEASE: its symbols cannot be read"
}

# The configuration that the headers were made with is the image's, and one that can be patched.
# Options that Debian removes from the packaged copy:
#   BUILD_SALT            goes into an ELF note that nothing here has
#   MODULE_SIG_ALL, MODULE_SIG_KEY, SYSTEM_TRUSTED_KEYS
#                         signing, done after the build, with a key that is not public
profile_config_check()
{
	local differ option
	local harmless='^CONFIG_(BUILD_SALT|MODULE_SIG_ALL|MODULE_SIG_KEY|SYSTEM_TRUSTED_KEYS)='
	differ=$(diff <(config_lines "$K_HEADERS/.config") <(config_lines "$K_BOOT/config-$RELEASE") |
		sed -n 's/^[<>] //p' | grep -vE "$harmless" | sed 's/=.*//' | sort -u | tr '\n' ' ') || true
	[[ -z $differ ]] ||
		die "linux-headers-$RELEASE was made with another configuration than linux-image-$RELEASE: ${differ% }; install both in the same version"

	for option in LIVEPATCH MODULES KALLSYMS_ALL; do
		grep -qx "CONFIG_$option=y" "$K_BOOT/config-$RELEASE" ||
			refuse "$RELEASE: its configuration lacks CONFIG_$option; livepatches cannot be made for it"
	done
	for option in RANDSTRUCT GCC_PLUGIN_RANDSTRUCT GCC_PLUGIN_LATENT_ENTROPY DEBUG_INFO_SPLIT \
		LD_DEAD_CODE_DATA_ELIMINATION LTO_CLANG; do
		! grep -qx "CONFIG_$option=y" "$K_BOOT/config-$RELEASE" ||
			refuse "$RELEASE: its configuration has CONFIG_$option, with which an object compiled alone is not what runs in the kernel"
	done
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
	job env -i PATH="$PATH" HOME=/nonexistent LC_ALL=C make -C "$PROFILE_TMP/src" --no-print-directory \
		-f "$PROFILE_TMP/kpatch.mk" V=1 CC="$KERNEL_CC" HOSTCC="$KERNEL_CC" ARCH=x86 \
		KERNELRELEASE="$RELEASE" "$@" kpatch
}

# The compile plan: what make would do, told by make. One job: several would mix their lines.
profile_plan()
{
	local src=$PROFILE_TMP/src status=0 objects
	stage_doing "asking make for the compile plan"
	# Programs that make wants to see before it lists what depends on them.
	profile_make_goal "kpatch:
	+\$(MAKE) \$(build)=scripts/selinux/genheaders
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
	plan_parse "$PROFILE_TMP/make.out" "$PROFILE_TMP" | plan_objtool >"$PROFILE_TMP/plan" ||
		profile_failed "the compile plan of $RELEASE cannot be written"
	rm "$PROFILE_TMP/make.out" "$PROFILE_TMP/make.err"
	objects=$(wc -l <"$PROFILE_TMP/plan")
	log "plan: $objects objects"
	# A kernel has thousands; anything less is a plan that was cut off.
	((objects >= 500)) || profile_failed "make lists only $objects objects of $RELEASE"
	module_flags "$PROFILE_TMP/plan" >"$PROFILE_TMP/module-flags"
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
		grep -rHIE "^([^\"]*\\*/)?[[:blank:]]*#[[:blank:]]*(include|import|define[[:blank:]]+($define))|\"#include <" . |
			sed 's|^\./||' |
			awk -f "$STAGES/paths.awk" -f "$STAGES/includes.awk" \
				<(find . \( -type f -o -type l \) -printf '%P\n') "$2" - |
			sort -u
	)
}
