#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-image: its command line, its output files, and input that was damaged on purpose.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr

bats_require_minimum_version 1.5.0
load image-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
}

@test "--version and --help work, also for a subcommand" {
	run -0 kpatch-image --version
	[[ $output == "kpatch-image "[0-9]* ]]
	run -0 kpatch-image --help
	for command in symtab release unpack struct build-id compiler; do
		[[ $output == *"  $command FILE"* ]]
		[[ $(kpatch-image $command --help) == "Usage: kpatch-image $command "* ]]
	done
}

@test "a wrong command line is an error in one line" {
	run -1 --separate-stderr kpatch-image
	[ "$stderr" = "kpatch-image: error: no subcommand; see kpatch-image --help" ]
	run -1 --separate-stderr kpatch-image frobnicate file
	[ "$stderr" = "kpatch-image: error: frobnicate: no such subcommand; see kpatch-image --help" ]
	run -1 --separate-stderr kpatch-image symtab
	[ "$stderr" = "kpatch-image: error: symtab: FILE is missing; see kpatch-image symtab --help" ]
	run -1 --separate-stderr kpatch-image struct file
	[ "$stderr" = "kpatch-image: error: struct: NAME is missing; see kpatch-image struct --help" ]
	run -1 --separate-stderr kpatch-image release one two
	[ "$stderr" = "kpatch-image: error: two: one FILE at a time; see kpatch-image release --help" ]
	run -1 kpatch-image --frobnicate
	run -1 kpatch-image symtab --frobnicate
}

@test "options are taken before and behind the file" {
	module m
	kpatch-image symtab m.ko > expected
	kpatch-image symtab -o one m.ko
	kpatch-image symtab m.ko --output=two
	cmp one expected
	cmp two expected
}

@test "a file that cannot be read, or is something else, is an error" {
	run -1 --separate-stderr kpatch-image symtab missing
	[ "$stderr" = "kpatch-image: error: missing: No such file or directory; give a kernel image or a module" ]
	run -1 --separate-stderr kpatch-image symtab .
	[ "$stderr" = "kpatch-image: error: .: Is a directory; give a kernel image or a module" ]
	echo 'ffffffff81000000 B text' > System.map
	run -1 --separate-stderr kpatch-image symtab System.map
	[ "$stderr" = "kpatch-image: error: System.map: neither a kernel image nor an ELF file; give vmlinuz, vmlinux or a module" ]
	: > empty
	run -1 --separate-stderr kpatch-image symtab empty
	[ "$stderr" = "kpatch-image: error: empty: neither a kernel image nor an ELF file; give vmlinuz, vmlinux or a module" ]
}

# Never "-o /dev/full" here: run by root, a program that is wrong would replace the device.
@test "a failed write is an error" {
	module m
	run -1 bash -c "'$KPATCH_IMAGE' symtab m.ko 2> errors > /dev/full"
	[ "$(cat errors)" = "kpatch-image: error: standard output: No space left on device; write to another place" ]
	run -1 --separate-stderr kpatch-image symtab m.ko -o missing/out
	[ "$stderr" = "kpatch-image: error: missing/out: No such file or directory; write to another place" ]
}

@test "a pipe is written to, not replaced" {
	module m
	mkfifo pipe
	timeout 10 cat pipe > received &
	timeout 10 "$KPATCH_IMAGE" symtab m.ko -o pipe
	wait $!
	[ -p pipe ]
	kpatch-image symtab m.ko | cmp - received
}

@test "a failure leaves the old output as it was, and no other file" {
	module m
	echo old > out
	truncate -s 1000 m.ko
	touch after
	ls -A > before
	run -1 kpatch-image symtab m.ko -o out
	[ "$(cat out)" = old ]
	ls -A > after
	diff before after
}

@test "a file size limit is a failed write as well, and leaves nothing behind" {
	vmlinux 6.12
	mkdir dir
	run -1 --separate-stderr bash -c "trap '' XFSZ; ulimit -f 4; '$KPATCH_IMAGE' unpack vmlinux -o dir/out"
	[ "$stderr" = "kpatch-image: error: dir/out: File too large; write to another place" ]
	[ -z "$(ls -A dir)" ]
}

@test "the output file gets ordinary permissions, and a symbolic link stays one" {
	module m
	echo old > target
	ln -s target link
	(umask 027 && kpatch-image symtab m.ko -o link)
	[ -L link ]
	[ "$(stat -c %a target)" = 640 ]
	kpatch-image symtab m.ko | cmp - target
}

# A program that notices each read out of bounds, each overflow and each leak.
checked_program()
{
	# shellcheck disable=SC2086
	"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE '-DKPATCH_VERSION="0"' -I"$TOP/lib" -O1 -g1 \
		-fsanitize=address,undefined -fno-sanitize-recover=all \
		"$TOP"/kpatch-image/*.c "$TOP"/lib/*.c \
		-o checked -lelf -lZydis -lcapstone -llz4 -lzstd -llzma -lz -lbpf
}

# survive FILE: symtab of it works or fails with one line; anything else, a hang included, is a bug.
survive()
{
	local status=0
	timeout 20 ./checked symtab "$1" > out 2> errors || status=$?
	if [[ $status -gt 1 || $(wc -l < errors) -ne $status ]]; then
		echo "$2: status $status:"
		cat errors
		return 1
	fi
	[[ $status -eq 0 ]] || failures=$((failures + 1))
	tries=$((tries + 1))
}

@test "damaged input never crashes, hangs or reads out of bounds" {
	local tries=0 failures=0 file size i at RANDOM=1
	checked_program
	btf
	vmlinux 6.1 btf.o
	cp vmlinux new-vmlinux
	bzimage zstd
	cp vmlinuz vmlinuz.zstd
	vmlinux 6.12 btf.o
	bzimage lz4
	module m
	xz -k m.ko

	for file in vmlinux new-vmlinux vmlinuz vmlinuz.zstd m.ko m.ko.xz; do
		survive $file "$file as it is"
		[ $failures -eq 0 ]
	done
	for file in vmlinux new-vmlinux vmlinuz vmlinuz.zstd m.ko m.ko.xz; do
		size=$(stat -c %s $file)
		for ((i = 0; i < 12; i++)); do
			at=$(((RANDOM << 15 | RANDOM) % size))
			head -c $at $file > damaged
			survive damaged "$file cut at $at"
		done
		for ((i = 0; i < 30; i++)); do
			at=$(((RANDOM << 15 | RANDOM) % size))
			# Headers are small, and what counts most.
			case $((i % 3)) in
			0) at=$((at % 1024)) ;;
			1) at=$((size - 1 - at % 2048 % size)) ;;
			esac
			cp $file damaged
			# shellcheck disable=SC2059
			printf "\\x$(printf %x $((RANDOM % 256)))" | poke damaged $at
			survive damaged "$file with byte $at changed (run $i)"
		done
	done
	# Damage that nothing notices would mean that the test does nothing.
	[ $failures -gt $((tries / 3)) ]
	[ $failures -lt $tries ]
}

@test "section headers at an odd address are read like others" {
	module m
	cp m.ko odd.ko
	# The table moves to the end of the file, to an odd offset; e_shoff, at 40, says so.
	size=$(stat -c %s odd.ko) offset=$(readelf -hW m.ko | awk '/Start of section headers/ { print $5 }')
	tail -c "+$((offset + 1))" m.ko > headers
	[ $((size % 2)) = 1 ] || printf 'x' >> odd.ko
	at=$(stat -c %s odd.ko)
	cat headers >> odd.ko
	le32 "$at" | poke odd.ko 40
	kpatch-image symtab m.ko > expected
	kpatch-image symtab odd.ko | diff - expected
	checked_program
	./checked symtab odd.ko | diff - expected
}

@test "the build ID is found among other notes, and its lack is an error" {
	cat > note.s <<-'EOT'
		.section .modinfo, "a"
		.asciz "name=note"
		.section .gnu.linkonce.this_module, "aw"
		.skip 64
		.section .note.other, "a", @note
		.long 6, 3, 3
		.asciz "Other"
		.balign 4
		.byte 1, 2, 3
		.balign 4
		.long 4, 4, 1
		.asciz "GNU"
		.byte 9, 9, 9, 9
		.section .note.id, "a", @note
		.long 4, 5, 3
		.asciz "GNU"
		.byte 0, 0xab, 0xcd, 0xef, 0x10
		.balign 4
	EOT
	as -o note.o note.s
	run -0 kpatch-image build-id note.o
	[ "$output" = "00abcdef10" ]
	[[ $(readelf -n note.o) == *"Build ID: $output"* ]]
	objcopy --remove-section=.note.id note.o none.o
	run -1 --separate-stderr kpatch-image build-id none.o
	[ "$stderr" = "kpatch-image: error: none.o: has no build ID; it was linked without --build-id" ]
	# A note that ends behind its section.
	sed 's/4, 5, 3/4, 500, 3/' note.s > long.s
	as -o long.o long.s
	run -1 --separate-stderr kpatch-image build-id long.o
	[ "$stderr" = "kpatch-image: error: long.o: has no build ID; it was linked without --build-id" ]
}
