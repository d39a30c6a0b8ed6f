#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-klp-module: what it does not let pass, with the exact words.
#
# shellcheck disable=SC2034 # MODINFO and others are read by the fixtures

bats_require_minimum_version 1.5.0
load klp-module-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	module_defaults
}

# reference SYMBOL [SECTION] [FLAGS]: a module with one 8-byte field for SYMBOL.
reference()
{
	printf '%s\n' ".weak \"$1\"" ".section ${2:-.data.x},\"${3-aw}\"" ".quad \"$1\"" | module
}

# x N: N times the letter.
x()
{
	printf "%0$1d" 0 | tr 0 x
}

# --- the two parts ---

@test "a module's symbol in the part for vmlinux is an error" {
	reference .kpatch.sym.vmlinux.ext4.foo,1
	fails_with 1 "error: in.ko: symbol .kpatch.sym.vmlinux.ext4.foo,1: in the part for vmlinux but owned by module ext4; create-diff-object must put it into a module's part"
}

@test "vmlinux's symbol in the part for a module is an error" {
	reference .kpatch.sym.ext4.vmlinux.foo,0
	fails_with 1 "error: in.ko: symbol .kpatch.sym.ext4.vmlinux.foo,0: in the part for module ext4 but owned by vmlinux; create-diff-object must put it into the part for vmlinux"
}

@test "a module's symbol without a position is an error" {
	reference .kpatch.sym.ext4.ext4.foo,0
	fails_with 1 "error: in.ko: symbol .kpatch.sym.ext4.ext4.foo,0: position 0; a module's symbols are counted from 1"
}

# --- names ---

@test "names that are not of the intermediate form are errors" {
	for name in .kpatch.sym.vmlinux.vmlinux.foo .kpatch.sym.vmlinux.vmlinux.,0 \
		'.kpatch.sym.vmlinux.vmlinux.foo,' .kpatch.sym.vmlinux.vmlinux.foo,x \
		.kpatch.sym.vmlinux.vmlinux.foo,-1 .kpatch.sym.vmlinux.vmlinux.foo,01 \
		.kpatch.sym.vmlinux.vmlinux.foo,0,1 .kpatch.sym.vmlinux..foo,0 .kpatch.sym..vmlinux.foo,0 \
		.kpatch.sym.vmlinux.foo,0 .kpatch.sym.snd-pcm.snd-pcm.foo,1 .kpatch.symbol .kpatch. \
		.kpatch.sym.vmlinux.vmlinux.foo,18446744073709551616; do
		reference "$name"
		fails_with 1 "error: in.ko: symbol $name: not of the form .kpatch.sym.PATCHED.OWNER.NAME,POS; is create-diff-object of this version?"
	done
}

@test "an intermediate symbol that the module defines is an error" {
	printf '%s\n' '.globl ".kpatch.sym.vmlinux.vmlinux.foo,0"' .data \
		'".kpatch.sym.vmlinux.vmlinux.foo,0": .quad 0' | module
	fails_with 1 "error: in.ko: symbol .kpatch.sym.vmlinux.vmlinux.foo,0: defined in this module; a livepatch symbol must be undefined"
}

@test "the kernel's format for object names takes 55 characters" {
	reference ".kpatch.sym.$(x 55).$(x 55).foo,1"
	create-klp-module in.ko out.ko
	rm out.ko
	reference ".kpatch.sym.ext4.$(x 56).foo,1"
	fails_with 2 "refused: in.ko: symbol .kpatch.sym.ext4.$(x 56).foo,1: object name $(x 56) has 56 characters, the kernel reads 55; this object can't be patched"
	reference ".kpatch.sym.$(x 56).ext4.foo,1"
	fails_with 2 "refused: in.ko: symbol .kpatch.sym.$(x 56).ext4.foo,1: object name $(x 56) has 56 characters, the kernel reads 55; this object can't be patched"
}

@test "the format for symbol names of 6.1 takes 511 characters" {
	reference ".kpatch.sym.vmlinux.vmlinux.$(x 511),0"
	create-klp-module in.ko out.ko
	rm out.ko
	reference ".kpatch.sym.vmlinux.vmlinux.$(x 512),0"
	fails_with 2 "refused: in.ko: symbol .kpatch.sym.vmlinux.vmlinux.$(x 512),0: its name has 512 characters, kernel 6.1 reads 511; change the patch so that it does without this symbol"
}

@test "the format for symbol names of 6.0 takes 127 characters" {
	MODINFO[3]='vermagic=6.0.12 SMP'
	reference ".kpatch.sym.vmlinux.vmlinux.$(x 127),0"
	create-klp-module in.ko out.ko
	rm out.ko
	reference ".kpatch.sym.vmlinux.vmlinux.$(x 128),0"
	fails_with 2 "refused: in.ko: symbol .kpatch.sym.vmlinux.vmlinux.$(x 128),0: its name has 128 characters, kernel 6.0 reads 127; change the patch so that it does without this symbol"
}

# --- places that are read too early ---

@test "a module's symbol in a section that the kernel reads while the livepatch loads is refused" {
	while read -r section what; do
		reference .kpatch.sym.ext4.jbd2.foo,1 "$section"
		fails_with 2 "refused: in.ko: section $section+0x0: foo of module jbd2: the kernel is done with $what before module ext4 is there; change the patch so that this code does without foo"
	done <<-'END'
	.altinstructions the table of alternative instructions
	.altinstr_replacement alternative instructions
	__jump_table the jump label table
	.static_call_sites the static call table
	.parainstructions the paravirt table
	__bug_table the bug table
	__ex_table the exception table
	.smp_locks the table of lock prefixes
	.retpoline_sites the table of retpolines
	.return_sites the table of returns
	.call_sites the table of calls
	.orc_unwind_ip the ORC table
	__mcount_loc the ftrace table
	_kprobe_blacklist the kprobe blacklist
	__tracepoints_ptrs the list of tracepoints
	__dyndbg the table of debug messages
	__param the list of module parameters
	.init.text initialisation code or data
	.init_array initialisation code or data
	.gnu.linkonce.this_module the module's own structure
	END
}

@test "vmlinux's symbols may be in sections that are read while the livepatch loads" {
	for section in .altinstructions __jump_table .static_call_sites __bug_table .init.text; do
		reference .kpatch.sym.vmlinux.vmlinux.foo,0 $section
		create-klp-module in.ko out.ko
		[ "$(relocs out.ko)" = ".klp.rela.vmlinux.$section 0x0 R_X86_64_64 .klp.sym.vmlinux.foo,0 0x0" ]
	done
}

@test "code beside that of functions may have a module's symbols" {
	for section in .fixup .altinstr_aux .text.unlikely.foo .data.once .noinstr.text; do
		reference .kpatch.sym.ext4.ext4.foo,1 $section
		create-klp-module in.ko out.ko
	done
}

@test "per-CPU data gets no relocations at all" {
	reference .kpatch.sym.vmlinux.vmlinux.foo,0 .data..percpu
	fails_with 2 "refused: in.ko: section .data..percpu+0x0: foo of vmlinux: the kernel applies no relocations to per-CPU data; set the variable in a callback"
}

@test "every refusal is told, not only the first" {
	printf '%s\n' '.weak ".kpatch.sym.a.a.one,1", ".kpatch.sym.a.a.two,1"' \
		'.section __jump_table,"aw"' '.quad ".kpatch.sym.a.a.one,1", ".kpatch.sym.a.a.two,1"' | module
	run create-klp-module in.ko out.ko
	[ "$status" -eq 2 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} = *'__jump_table+0x0: one of module a:'* ]]
	[[ ${lines[1]} = *'__jump_table+0x8: two of module a:'* ]]
	[ ! -e out.ko ]
}

# --- relocations that the loader cannot apply ---

@test "a livepatch relocation in a section that is not loaded is an error" {
	reference .kpatch.sym.vmlinux.vmlinux.foo,0 .debug_x ''
	# ld could leave such sections out.
	readelf -SW in.ko | grep -q debug_x
	fails_with 1 "error: in.ko: section .debug_x+0x0: livepatch relocation against .kpatch.sym.vmlinux.vmlinux.foo,0: the section is not loaded; strip debugging information first"
}

@test "relocation types that the loader does not know are errors" {
	printf '%s\n' '.weak ".kpatch.sym.vmlinux.vmlinux.foo,0"' \
		'.long 0' '.reloc 0, R_X86_64_REX_GOTPCRELX, ".kpatch.sym.vmlinux.vmlinux.foo,0"' | module
	fails_with 1 "error: in.ko: section .text+0x0: livepatch relocation against .kpatch.sym.vmlinux.vmlinux.foo,0: type 42 is unknown to the kernel's loader; compile with the kernel's own flags"
	echo 'mov printk@GOTPCREL(%rip), %rax' | module
	fails_with 1 "error: in.ko: section .text+0x3: relocation against printk: type 42 is unknown to the kernel's loader; compile with the kernel's own flags"
}

@test "relocations for tools, in sections that are not loaded, may be of any type" {
	printf '%s\n' '.section .debug_x' '.quad 0' '.reloc 0, R_X86_64_DTPOFF64, printk' | module
	create-klp-module in.ko out.ko
	[ "$(relocs out.ko)" = ".rela.debug_x 0x0 R_X86_64_DTPOFF64 printk 0x0" ]
}

@test "a livepatch relocation that reaches beyond its section is an error" {
	printf '%s\n' '.weak ".kpatch.sym.vmlinux.vmlinux.foo,0"' .data '.long 0' \
		'.reloc 0, R_X86_64_64, ".kpatch.sym.vmlinux.vmlinux.foo,0"' | module
	fails_with 1 "error: in.ko: section .data+0x0: livepatch relocation against .kpatch.sym.vmlinux.vmlinux.foo,0: outside of the section; is the file damaged?"
	printf '%s\n' .data '.long 0' '.reloc 0, R_X86_64_64, printk' | module
	fails_with 1 "error: in.ko: section .data+0x0: relocation against printk: outside of the section; is the file damaged?"
}

@test "a livepatch relocation of a field that is not zero is an error" {
	printf '%s\n' '.weak ".kpatch.sym.vmlinux.vmlinux.foo,0"' .data '.quad 0, 1 << 56' \
		'.reloc 8, R_X86_64_64, ".kpatch.sym.vmlinux.vmlinux.foo,0"' | module
	fails_with 1 "error: in.ko: section .data+0x8: livepatch relocation against .kpatch.sym.vmlinux.vmlinux.foo,0: the field is not zero, and the kernel insists on it; is the file damaged?"
}

# --- imports ---

@test "an undefined symbol that is not in __versions is an error" {
	echo 'call kmalloc' | module
	fails_with 1 "error: in.ko: symbol kmalloc: undefined and not in __versions; was the module linked with this kernel's Module.symvers?"
	printf '%s\n' '.weak kmalloc' 'call kmalloc' | module
	fails_with 1 "error: in.ko: symbol kmalloc: undefined and not in __versions; was the module linked with this kernel's Module.symvers?"
	VERSIONS+=(kmalloc)
	echo 'call kmalloc' | module
	create-klp-module in.ko out.ko
}

@test "a module without __versions needs --no-modversions, one with them is checked all the same" {
	VERSIONS=()
	echo 'call kmalloc' | module
	fails_with 1 "error: in.ko: no section __versions; link the module with its .mod.o, or give --no-modversions if the kernel has no CONFIG_MODVERSIONS"
	create-klp-module --no-modversions in.ko out.ko
	rm out.ko
	VERSIONS=(printk)
	echo 'call kmalloc' | module
	fails_with 1 "error: in.ko: symbol kmalloc: undefined and not in __versions; was the module linked with this kernel's Module.symvers?" --no-modversions
}

# extended NAME...: the sections of CONFIG_EXTENDED_MODVERSIONS, as modpost's C code makes them.
extended()
{
	echo '.section __version_ext_crcs,"a"'
	printf '.long 0x1234\n%.0s' "$@"
	echo '.section __version_ext_names,"a"'
	printf '.asciz "%s"\n' "$@"
	echo '.byte 0'
}

@test "names in __version_ext_names count, beside __versions and alone" {
	long=$(x 100)
	{ echo .text; echo "call $long"; echo 'call kmalloc'; extended "$long" kmalloc; } > s
	module < s
	create-klp-module in.ko out.ko
	{ cat s; echo .text; echo 'call printk'; } > s2
	module < s2
	create-klp-module in.ko out.ko
	VERSIONS=()
	module < s
	create-klp-module in.ko out.ko
	rm out.ko
	module < s2
	fails_with 1 "error: in.ko: symbol printk: undefined and not in __versions; was the module linked with this kernel's Module.symvers?"
}

@test "damaged lists of checksums are errors" {
	{ extended a b; echo '.section __version_ext_crcs'; echo '.long 0'; } | module
	fails_with 1 "error: in.ko: section __version_ext_crcs: not one checksum for each of 2 names; is the file damaged?"
	{ extended a; echo '.ascii "x"'; } | module
	fails_with 1 "error: in.ko: section __version_ext_names: name without end; is the file damaged?"
	printf '%s\n' '.section __versions,"a"' '.zero 8' | module
	fails_with 1 "error: in.ko: section __versions: not made of entries of 64 bytes; is the kernel's architecture x86-64?"
	printf '%s\n' '.section __versions,"a"' '.fill 64, 1, 0x41' | module
	fails_with 1 "error: in.ko: section __versions: entry 0: name without end; is the file damaged?"
}

@test "an export of vmlinux is not reached by livepatch relocation as well; a namesake is" {
	reference .kpatch.sym.vmlinux.vmlinux.printk,0
	fails_with 1 "error: in.ko: symbol .kpatch.sym.vmlinux.vmlinux.printk,0: printk is imported in __versions too; an export of vmlinux takes ordinary relocations only"
	reference .kpatch.sym.vmlinux.vmlinux.printk,2
	create-klp-module in.ko out.ko
}

@test "a livepatch that depends on a module whose symbols it reaches is an error" {
	MODINFO[2]='depends=foo,snd-pcm'
	reference .kpatch.sym.snd_hda.snd_pcm.bar,1
	fails_with 1 "error: in.ko: symbol .kpatch.sym.snd_hda.snd_pcm.bar,1: the module depends on snd_pcm; what a patched module or its dependencies export takes livepatch relocations only"
	reference .kpatch.sym.foo.snd.bar,1
	fails_with 1 "error: in.ko: symbol .kpatch.sym.foo.snd.bar,1: the module depends on foo; what a patched module or its dependencies export takes livepatch relocations only"
	reference .kpatch.sym.fo.snd.bar,1
	create-klp-module in.ko out.ko
	reference .kpatch.sym.fooo.snd.bar,1
	create-klp-module in.ko out.ko
}

# --- the module as a whole ---

@test "a module that does not say that it is a livepatch is an error" {
	MODINFO=('vermagic=6.1.0' 'notlivepatch=Y' 'livepatch=N')
	module < /dev/null
	fails_with 1 'error: in.ko: section .modinfo: no livepatch=Y; the generated code must have MODULE_INFO(livepatch, "Y")'
	MODINFO=("vermagic=6.1.0")
	printf "%s\n" ".section .modinfo" ".ascii \"livepatch=Y\"" > end.S
	{ mod_source; cat end.S; } | gcc -x assembler -c -o in.o -
	ld -r -o in.ko in.o
	fails_with 1 'error: in.ko: section .modinfo: no livepatch=Y; the generated code must have MODULE_INFO(livepatch, "Y")'
	MODINFO=('vermagic=6.1.0' 'livepatch=Y')
	module < /dev/null
	create-klp-module in.ko out.ko
}

@test "a module without a kernel release in its vermagic is an error" {
	MODINFO=('livepatch=Y')
	module < /dev/null
	fails_with 1 "error: in.ko: section .modinfo: no vermagic=; was the module linked without its .mod.o?"
	MODINFO=('livepatch=Y' 'vermagic=SMP')
	module < /dev/null
	fails_with 1 "error: in.ko: section .modinfo: vermagic=SMP: no kernel release; it must be the shipped kernel's"
}

@test "a file without modpost's part is an error" {
	THIS_MODULE=no
	module < /dev/null
	fails_with 1 "error: in.ko: no section .gnu.linkonce.this_module; give the module after the final link, with its .mod.o"
	MODINFO=()
	module < /dev/null
	fails_with 1 "error: in.ko: no section .modinfo; give the module after the final link, with its .mod.o"
}

@test "a module that was converted before is an error" {
	reference .kpatch.sym.vmlinux.vmlinux.foo,0
	create-klp-module in.ko converted.ko
	mv converted.ko in.ko
	fails_with 1 "error: in.ko: already has livepatch relocations; give the module as it was linked"
}

@test "a changed function that was not linked is an error" {
	printf '%s\n' .data '.quad __kpatch_new.vmlinux.foo.0' | module
	fails_with 1 "error: in.ko: symbol __kpatch_new.vmlinux.foo.0: not defined; was the object with this function linked?"
}

@test "common symbols, section groups and unknown sections are errors" {
	echo '.comm hole, 8' | module
	fails_with 1 "error: in.ko: symbol hole: a common symbol; compile with -fno-common"
	printf '%s\n' '.section .text.g,"axG",@progbits,group,comdat' 'ret' | module
	fails_with 1 "error: in.ko: section .group: a section group; link with --force-group-allocation"
	printf '%s\n' '.section .odd,"a",@0x60000123' '.byte 1' | module
	fails_with 1 "error: in.ko: section .odd: type 0x60000123 is unknown; is this the module after the final link?"
}
