# SPDX-License-Identifier: GPL-2.0-only
#
# Picks lines of the compile plan, for select.sh. Needs paths.awk. Input: a list of names, then the plan.
#
# Variables: column=sources|objects	what the names are, without ".."
#	     leaving=FILE	receives the directories that paths of the picked lines leave with ".."
#
# Output, tab-separated: OBJECT FILE SOURCE MODULES KIND COMPILE OBJTOOL, with OBJECT and FILE without "..", and SOURCE as
# the plan has it: virt/kvm/eventfd.c is compiled as arch/x86/kvm/../../../virt/kvm/eventfd.c, which __FILE__ shows.

BEGIN { FS = OFS = "\t" }

function leaves(list)
{
	gsub(/:/, "\n", list)
	if (list != "")
		print list >>leaving
}

NR == FNR { wanted[$1] = 1; next }

{
	object = normal($1)
	file = normal($2)
	if (!((column == "sources" ? file : object) in wanted))
		next
	leaves(climbed)
	include_options($5)
	leaves(climbs)
	print object, file, $2, $3, $4, $5, $6
}
