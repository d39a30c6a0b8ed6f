# SPDX-License-Identifier: GPL-2.0-only
#
# Turns the output of "make -n V=1" into the compile plan (doc/architecture.md: "the compile
# plan"). Plain POSIX awk: Debian's default is mawk. One pass, as the input has some 70 MB.
#
# What make prints for an object is one line of
#
#	set -e; echo 'COMMAND'; trap '... PIPE' PIPE; COMMAND; scripts/basic/fixdep D O 'COMMAND' > ...
#
# COMMAND stands there three times, with another quoting each time; the one in the middle is what
# the shell would run. It is "gcc-12 FLAGS -c -o OBJECT SOURCE", followed by objtool for most.
#
# Variables: generated=FILE receives "DIRECTORY TARGET" of every source or header that a rule makes;
#	     rest=FILE receives the objects whose command has a part that is not understood.

BEGIN {
	OFS = "\t"
	last_trap = "kill -s PIPE $$' PIPE; "
}

function generated_target(target)
{
	if (target !~ /\.[chS]$/ || target ~ /\.mod\.c$/ || (target in seen))
		return
	seen[target] = 1
	home = target
	if (!sub(/\/[^\/]*$/, "", home))
		home = "."
	print home, target > generated
}

# Module names of KBUILD_MODNAME: "proc" is one, "a:b" are two. An assembler object has none, so that
# its module is unknown; it cannot be patched anyway.
function modules_of(flags,    file)
{
	if (flags !~ /(^| )-DMODULE( |$)/)
		return "vmlinux"
	if (!match(flags, /-DKBUILD_MODNAME='"[^"]*"'/))
		return "?"
	file = substr(flags, RSTART + 19, RLENGTH - 21)
	gsub(/-/, "_", file)
	return file
}

/^set -e;/ {
	if (match($0, /trap 'rm -f [^; ]+; trap - PIPE/))
		generated_target(substr($0, RSTART + 12, RLENGTH - 25))
	else if (match($0, /trap "rm -f [^" ]+\.tmp" EXIT/)) {
		target = substr($0, RSTART + 12, RLENGTH - 22)
		sub(/\/\.[^\/]*$/, "/", target)
		file = substr($0, RSTART + 12 + length(target) + 1, RLENGTH - 22 - length(target) - 1)
		generated_target(target file)
	}
}

/ -D__KERNEL__ .* -c -o / {
	start = index($0, last_trap)
	if (!start)
		next
	command = substr($0, start + length(last_trap))
	end = match(command, /; (\.\/)?scripts\/basic\/fixdep /)
	if (!end)
		next
	command = substr(command, 1, end - 1)
	if (!match(command, / -c -o [^ ]+ [^ ;]+\.[cS]( |;|$)/))
		next
	compile = substr(command, 1, RSTART - 1)
	split(substr(command, RSTART + 1, RLENGTH - 1), word, / +/)
	tail = substr(command, RSTART + RLENGTH)
	object = word[3]
	source = word[4]
	sub(/;$/, "", source)
	sub(/^\.\//, "", source)
	kind = source ~ /\.S$/ ? "S" : "c"

	objtool = ""
	sub(/^[ ;]+/, "", tail)
	sub(/[ ;]+$/, "", tail)
	if (tail ~ /^[^ ]*tools\/objtool\/objtool [^;|&]*$/) {
		objtool = tail
		if (substr(objtool, length(objtool) - length(object)) != " " object) {
			print object > rest
			next
		}
		objtool = substr(objtool, 1, length(objtool) - length(object) - 1)
		sub(/ +$/, "", objtool)
	} else if (tail != "") {
		print object > rest
		next
	}
	gsub(/ -Wp,-MM?D,[^ ]*/, "", compile)
	sub(/ +$/, "", compile)
	if (compile ~ /\t/ || (object in done))
		next
	done[object] = 1
	print object, source, modules_of(compile), kind, compile, objtool
}
