# SPDX-License-Identifier: GPL-2.0-only
#
# From 6.13 on make goes into the directory of a module that is not part of the kernel's source: what it prints has paths
# relative to that, and absolute ones of the kernel's tree. This gives compile commands the form of before, as if they
# ran in the kernel's tree.
#
# Variables: dir=DIRECTORY of the module in the tree
#	     relative=FILE is written if there is a command of that kind

function replaced(text, from, to,    done, at)
{
	while ((at = index(text, from))) {
		done = done substr(text, 1, at - 1) to
		text = substr(text, at + length(from))
	}
	return done text
}

# Include options with a path that is relative; "-I" and the path can be one word or two.
function includes(text,    done)
{
	while (match(text, / -(I ?|iquote |isystem |include |imacros )[^ \/-]/)) {
		done = done substr(text, 1, RSTART + RLENGTH - 2) dir "/"
		text = substr(text, RSTART + RLENGTH - 1)
	}
	return done text
}

/ -D__KERNEL__ .* -c -o / && match($0, / -c -o [^ ]+ [^ ;]+\.[cS]/) {
	from = substr($0, RSTART, RLENGTH)
	split(from, word, / +/)
	object = word[4]
	file = word[5]
	if (object !~ /^\// && index(object, dir "/") != 1) {
		print "" >relative
		to = " -c -o " dir "/" object " " (file ~ /^\// ? "" : dir "/") file
		$0 = includes(replaced($0, from, to))
		# Of objtool.
		$0 = replaced($0, " " object ";", " " dir "/" object ";")
	}
}

{ print }
