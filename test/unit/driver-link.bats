#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The generated registration of the patch, from the reports of the changed objects.

bats_require_minimum_version 1.5.0
load driver-fixtures

setup()
{
	driver_source
	# shellcheck disable=SC2034 # the driver reads them
	MODNAME=livepatch_a_b NAME=a-b RELEASE=9.9.0-1-fake VERSION=1.2.3 REPLACE=1
	REPORT=$BATS_TEST_TMPDIR/report
	{
		printf 'kpatch-diff\t1\nobject\tvmlinux\n'
		printf 'function\tfoo\t0\t__kpatch_new.vmlinux.foo.0\t100\n'
		printf 'function\tbar.isra.0\t2\t__kpatch_new.vmlinux.bar.isra.0.2\t50\n'
		printf 'part\tfoo.cold\tfoo\t10\nnamespace\tDMA_BUF\n'
		printf 'kpatch-diff\t1\nobject\tmy_mod\nfunction\tfoo\t1\t__kpatch_new.my_mod.foo.1\t100\n'
		printf 'kpatch-diff\t1\nobject\tvmlinux\nfunction\tbaz\t0\t__kpatch_new.vmlinux.baz.0\t9\nnamespace\tDMA_BUF\n'
	} >"$REPORT"
}

generate()
{
	registration_write "$KMOD/livepatch.c.in" "$REPORT"
}

# between FIRST LAST: lines of the output, from the one to the other.
between()
{
	sed -n "/$1/,/$2/p" <<<"$output"
}

@test "functions are grouped by kernel object, whatever the order of the reports" {
	run generate
	[ "$status" -eq 0 ]
	[ "$(between 'funcs_vmlinux\[\]' '^};' | grep -o 'old_name = .*,')" = $'old_name = "foo",\nold_name = "bar.isra.0",\nold_name = "baz",' ]
	[ "$(between 'funcs_vmlinux\[\]' '^};' | grep -o 'old_sympos = .*,')" = $'old_sympos = 0,\nold_sympos = 2,\nold_sympos = 0,' ]
	[ "$(between 'funcs_my_mod\[\]' '^};' | grep -o 'old_[a-z]* = .*,')" = $'old_name = "foo",\nold_sympos = 1,' ]
}

@test "the new code is named by the symbol that the report gives" {
	run generate
	expect 0 'extern void new_1_foo(void) asm("__kpatch_new.vmlinux.foo.0");'
	expect 0 'extern void new_2_bar_isra_0(void) asm("__kpatch_new.vmlinux.bar.isra.0.2");'
	expect 0 'extern void new_3_foo(void) asm("__kpatch_new.my_mod.foo.1");'
	expect 0 "$(printf '\t\t.new_func = new_2_bar_isra_0,')"
}

# The vmlinux object, whose callbacks are the shadow core's.
vmlinux_object()
{
	printf '\t{\n\t\t.funcs = funcs_vmlinux,\n\t\t.callbacks = {\n\t\t\t.pre_patch = kpatch_shadow_pre_patch,\n'
	printf '\t\t\t.post_patch = kpatch_shadow_post_patch,\n\t\t\t.post_unpatch = kpatch_shadow_post_unpatch,\n\t\t},\n\t},\n'
}

@test "functions of one name in two objects of a kernel object stay two" {
	{
		printf 'kpatch-diff\t1\nobject\tvmlinux\nfunction\tshow\t2\t__kpatch_new.vmlinux.show.2\t100\n'
		printf 'kpatch-diff\t1\nobject\tvmlinux\nfunction\tshow\t7\t__kpatch_new.vmlinux.show.7\t50\n'
	} >"$REPORT"
	run generate
	expect 0 'extern void new_1_show(void) asm("__kpatch_new.vmlinux.show.2");'
	expect 0 'extern void new_2_show(void) asm("__kpatch_new.vmlinux.show.7");'
	[ "$(between 'funcs_vmlinux\[\]' '^};' | tr -d '\n\t')" = 'static struct klp_func funcs_vmlinux[] = {{.old_name = "show",.new_func = new_1_show,.old_sympos = 2,},{.old_name = "show",.new_func = new_2_show,.old_sympos = 7,},{ }};' ]
}

@test "objects of one name from two directories, and of two modules, are all linked, in a fixed order" {
	local object
	PROFILE=$BATS_TEST_TMPDIR SHADOW=kernel NAME=x
	printf '\n\n' >"$PROFILE/link-flags"
	mkdir -p "$WORKDIR/link/kpatch/core"
	: >"$WORKDIR/added"
	: >"$WORKDIR/shadow-lines"
	DIFFED=("one fs/a/file.o" "vmlinux fs/a/file.o" "vmlinux fs/b/file.o")
	for object in "${DIFFED[@]}"; do
		object=${object/ //}
		mkdir -p "$WORKDIR/diff/${object%/*}"
		printf 'static int show(void) { return 1; } int (*%s)(void) = show;\n' "${object//[.\/]/_}" |
			gcc -x c -c -o "$WORKDIR/diff/$object" -
	done
	echo 'int main_object;' | gcc -x c -c -o "$WORKDIR/link/kpatch/z.o" -
	link_objects
	[ "$(nm "$WORKDIR/link/kpatch/livepatch-x.o" | grep -c ' t show$')" = 3 ]
	[ "$(nm -n "$WORKDIR/link/kpatch/livepatch-x.o" | awk '$2 ~ /[DB]/ { print $3 }' | tr '\n' ' ')" = \
		"main_object one_fs_a_file_o vmlinux_fs_a_file_o vmlinux_fs_b_file_o " ]
}

@test "what is added to two kernel objects under one name is there for each of them" {
	PROFILE=$BATS_TEST_TMPDIR SHADOW=kernel NAME=x
	printf '\n\n' >"$PROFILE/link-flags"
	mkdir -p "$WORKDIR/link/kpatch/core" "$WORKDIR/diff/one" "$WORKDIR/diff/two"
	: >"$WORKDIR/shadow-lines"
	printf '%s\n' 'one a.o added' 'one b.o other' 'two a.o added' >"$WORKDIR/added"
	DIFFED=("one a.o" "one b.o" "two a.o" "two b.o")
	for target in one two; do
		echo "int added(void) { return 1; } int user_$target(void) { return added(); }" |
			gcc -O0 -fno-pie -x c -c -o "$WORKDIR/diff/$target/a.o" -
		echo "int added(void); int other_$target(void) { return added(); }" |
			gcc -O0 -fno-pie -x c -c -o "$WORKDIR/diff/$target/b.o" -
	done
	link_objects
	nm "$WORKDIR/link/kpatch/livepatch-x.o" | awk '{ print $2, $3 }' | sort | diff -u - <(printf '%s\n' \
		'T added' 'T added.two' 'T other_one' 'T other_two' 'T user_one' 'T user_two')
	objdump -dr "$WORKDIR/link/kpatch/livepatch-x.o" | grep -oE '<(user|other)_(one|two)>:|added(\.two)?-' |
		tr '\n' ' ' | diff -u - <(printf '%s ' '<user_one>:' added- '<other_one>:' added- '<user_two>:' added.two- \
		'<other_two>:' added.two-)
}

@test "vmlinux has no name and is the last, a module has its own" {
	run generate
	[ "$(between 'klp_object objects' '^};')" = "static struct klp_object objects[] = {
$(printf '\t{\n\t\t.name = "my_mod",\n\t\t.funcs = funcs_my_mod,\n\t},\n'; vmlinux_object; printf '\t{ }\n};')" ]
}

@test "a patch of a module alone has a vmlinux object without functions" {
	printf 'kpatch-diff\t1\nobject\tmy_mod\nfunction\tfoo\t1\t__kpatch_new.my_mod.foo.1\t100\n' >"$REPORT"
	run generate
	[ "$status" -eq 0 ]
	[ "$(between 'klp_object objects' '^};')" = "static struct klp_object objects[] = {
$(printf '\t{\n\t\t.name = "my_mod",\n\t\t.funcs = funcs_my_mod,\n\t},\n'; vmlinux_object; printf '\t{ }\n};')" ]
	[ "$(between 'klp_func funcs_vmlinux' '^};')" = "static struct klp_func funcs_vmlinux[] = {
$(printf '\t{ }\n};')" ]
}

@test "shadow fields: a table with their destructors, and a line of modinfo for each" {
	printf 'shadow\ta.b\t00000000000000ff\t4\t8\t2\tb_dtor\nshadow\ta.c\t8000000000000001\t0\t1\t0\t-\n' >>"$REPORT"
	run generate
	[ "$status" -eq 0 ]
	expect 0 'extern void dtor_1(void *, void *) asm("b_dtor");'
	[ "$(between 'kpatch_shadow_field shadow_fields' '^};')" = "static const struct kpatch_shadow_field shadow_fields[] = {
$(printf '\t{\n\t\t.name = "a.b",\n\t\t.id = 0x00000000000000fful,\n\t\t.size = 4,\n\t\t.align = 8,\n\t\t.version = 2,\n\t\t.dtor = dtor_1,\n\t},'
	printf '\n\t{\n\t\t.name = "a.c",\n\t\t.id = 0x8000000000000001ul,\n\t\t.size = 0,\n\t\t.align = 1,\n\t\t.version = 0,\n\t},\n\t{ }\n};')" ]
	expect 0 'MODULE_INFO(kpatch_shadow, "a.b id=00000000000000ff size=4 align=8 version=2");'
	expect 0 'MODULE_INFO(kpatch_shadow, "a.c id=8000000000000001 size=0 align=1 version=0");'
}

callback_report()
{
	{
		printf 'kpatch-diff\t1\nobject\tmy_mod\n'
		printf 'callback\tpre_patch\tmod_pre\t__kpatch_new.my_mod.mod_pre.pre_patch\tb.c:1\n'
		printf 'callback\tpost_patch\tmod_post\t__kpatch_new.my_mod.mod_post.post_patch\tb.c:2\n'
		printf 'kpatch-diff\t1\nobject\tvmlinux\n'
		printf 'callback\tpre_patch\tpre\t__kpatch_new.vmlinux.pre.pre_patch\ta.c:3\n'
		printf 'callback\tpost_patch\tpost\t__kpatch_new.vmlinux.post.post_patch\ta.c:4\n'
		printf 'callback\tpre_unpatch\tunpre\t__kpatch_new.vmlinux.unpre.pre_unpatch\ta.c:5\n'
		printf 'callback\tpost_unpatch\tunpost\t__kpatch_new.vmlinux.unpost.post_unpatch\ta.c:6\n'
	} >"$REPORT"
}

@test "callbacks of the author: chained to those of the shadow core, and a positive number is an error" {
	callback_report
	run generate
	[ "$status" -eq 0 ]
	diff -u - <(between 'What the author' '^static struct klp_object' | sed 's/^static struct klp_object.*//; s/^\t*//') <<-'EOT'
		/* What the author wants to be called, and when. */
		extern int callback_1(struct klp_object *obj) asm("__kpatch_new.my_mod.mod_pre.pre_patch");
		extern void callback_2(struct klp_object *obj) asm("__kpatch_new.my_mod.mod_post.post_patch");
		extern int callback_3(struct klp_object *obj) asm("__kpatch_new.vmlinux.pre.pre_patch");
		extern void callback_4(struct klp_object *obj) asm("__kpatch_new.vmlinux.post.post_patch");
		extern void callback_5(struct klp_object *obj) asm("__kpatch_new.vmlinux.unpre.pre_unpatch");
		extern void callback_6(struct klp_object *obj) asm("__kpatch_new.vmlinux.unpost.post_unpatch");

		static int pre_patch_my_mod(struct klp_object *obj)
		{
			int err = kpatch_shadow_pre_patch(obj);

			if (err)
				return err;
			err = callback_1(obj);
			return err > 0 ? -EINVAL : err;
		}

		static void post_patch_my_mod(struct klp_object *obj)
		{
			kpatch_shadow_post_patch(obj);
			callback_2(obj);
		}

		static int pre_patch_vmlinux(struct klp_object *obj)
		{
			int err = kpatch_shadow_pre_patch(obj);

			if (err)
				return err;
			err = callback_3(obj);
			return err > 0 ? -EINVAL : err;
		}

		static void post_patch_vmlinux(struct klp_object *obj)
		{
			kpatch_shadow_post_patch(obj);
			callback_4(obj);
		}

		static void post_unpatch_vmlinux(struct klp_object *obj)
		{
			callback_6(obj);
			kpatch_shadow_post_unpatch(obj);
		}

		/*
		 * The kernel objects that are patched; the one without a name is the kernel itself. It is always there: its
		 * callbacks tell the shadow core when the patch is enabled and when no longer. It is the last, as the kernel calls
		 * in this order, also on the way back: no other object's callbacks come behind the end of the shadow variables.
		 */

	EOT
	diff -u - <(between 'klp_object objects' '^};' | tr -d '\t') <<-'EOT'
		static struct klp_object objects[] = {
			{
				.name = "my_mod",
				.funcs = funcs_my_mod,
				.callbacks = {
					.pre_patch = pre_patch_my_mod,
					.post_patch = post_patch_my_mod,
				},
			},
			{
				.funcs = funcs_vmlinux,
				.callbacks = {
					.pre_patch = pre_patch_vmlinux,
					.post_patch = post_patch_vmlinux,
					.pre_unpatch = callback_5,
					.post_unpatch = post_unpatch_vmlinux,
				},
			},
			{ }
		};
	EOT
	# The kernel wants a table of functions, be it an empty one.
	[ "$(between 'klp_func funcs_my_mod' '^};')" = "static struct klp_func funcs_my_mod[] = {
$(printf '\t{ }\n};')" ]
}

@test "one callback of a kind for each object; a second one is an error that names both" {
	callback_report
	run callbacks_check "$REPORT"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	printf 'kpatch-diff\t1\nobject\tvmlinux\ncallback\tpre_patch\tpre\t__kpatch_new.vmlinux.pre.pre_patch\tc.c:9\n' >>"$REPORT"
	run callbacks_check "$REPORT"
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-build: error: c.c:9: vmlinux has two pre-patch callbacks, pre() at a.c:3 and pre() here; make one function of them, which does both" ]
	# --dry-run looks, too.
	reports() { cat "$REPORT"; }
	shadow_fields() { :; }
	run dry_run
	[ "$status" -eq 1 ]
	[ "$output" = "kpatch-build: error: c.c:9: vmlinux has two pre-patch callbacks, pre() at a.c:3 and pre() here; make one function of them, which does both" ]
}

@test "what the author left out stands in the module and in the summary" {
	printf 'ignored\tdata\tlimit\ta.c:9\nignored\tfunction\tinit_foo\ta.c:10\nunsafe\tfoo\ta.c:11\n' >>"$REPORT"
	printf 'callback\tpre_patch\tpre\t__kpatch_new.vmlinux.pre.pre_patch\ta.c:3\n' >>"$REPORT"
	run generate
	[ "$status" -eq 0 ]
	expect 0 'MODULE_INFO(kpatch_ignored, "vmlinux: limit");'
	expect 0 'MODULE_INFO(kpatch_ignored, "vmlinux: init_foo");'
	RESULT=$BATS_TEST_TMPDIR/x.ko
	echo x >"$RESULT"
	cp "$REPORT" "$WORKDIR/report"
	run report
	[ "$(grep -E '^  (left out|callback)' <<<"$output")" = "  left out  vmlinux: limit
  left out  vmlinux: init_foo()
  callback  vmlinux: pre() pre_patch" ]
}

@test "each namespace is imported once, in both spellings" {
	run generate
	[ "$(grep -c 'MODULE_IMPORT_NS(DMA_BUF);' <<<"$output")" -eq 1 ]
	[ "$(grep -c 'MODULE_IMPORT_NS("DMA_BUF");' <<<"$output")" -eq 1 ]
}

@test "replace is on, and off with --non-replace" {
	run generate
	expect 0 "$(printf '\t.replace = true,')"
	# shellcheck disable=SC2034 # the driver reads it
	REPLACE=0
	run generate
	expect 0 "$(printf '\t.replace = false,')"
}

@test "licence, livepatch mark and description" {
	run generate
	expect 0 'MODULE_LICENSE("GPL");'
	expect 0 'MODULE_INFO(livepatch, "Y");'
	expect 0 'MODULE_DESCRIPTION("livepatch a-b for 9.9.0-1-fake");'
	[ "$(grep -c '@[A-Z]*@' <<<"$output")" -eq 0 ]
}

@test "a report without a function is an error: the livepatch would fix nothing" {
	printf 'kpatch-diff\t1\nobject\tvmlinux\nnew\tdata\tx\t4\n' >"$REPORT"
	run generate
	[ "$status" -eq 1 ]
}

@test "a warning of objtool is an error, however much it says behind it" {
	PROFILE=$BATS_TEST_TMPDIR
	mkdir -p "$WORKDIR/link/kpatch"
	echo 'int x;' >"$WORKDIR/link/kpatch/a.c"
	printf 'gcc\tseq 100000 #\n' >"$PROFILE/module-flags"
	run compile_module_source kpatch/a.c kpatch/a.o
	[ "$status" -eq 0 ]
	printf 'gcc\techo "a.o: warning: objtool: x: y"; seq 100000 #\n' >"$PROFILE/module-flags"
	run compile_module_source kpatch/a.c kpatch/a.o
	expect 1 "kpatch-build: error: livepatch_a_b: objtool on a.o failed"
	# What was said about the file before is over.
	printf 'gcc\t:\n' >"$PROFILE/module-flags"
	run compile_module_source kpatch/a.c kpatch/a.o
	[ "$status" -eq 0 ]
}

@test "shadow fields and calls are found in objects with thousands of sections and symbols" {
	SHADOW=core
	DIFFED=("vmlinux a.o")
	mkdir -p "$WORKDIR/patched" "$WORKDIR/diff"
	{
		echo '.section .discard.kpatch_shadow; .quad 0'
		for ((i = 0; i < 2000; i++)); do
			echo ".section .data.a_variable_of_that_number_$i; .quad klp_shadow_get, some_symbol_of_that_number_$i"
		done
	} | gcc -x assembler -c -o "$WORKDIR/patched/a.o" -
	shadow_declarations()
	{
		echo "$1"
	}
	shadow_check()
	{
		:
	}
	run shadow_fields
	[ "$status" -eq 0 ]
	[ "$output" = "$WORKDIR/patched/a.o" ]
	shadow_redirect "$WORKDIR/patched/a.o" "$WORKDIR/a.o"
	[ "$(nm -u "$WORKDIR/a.o" | grep -c shadow_)" = 1 ]
	[ "$(nm -u "$WORKDIR/a.o" | grep shadow_ | tr -d ' ')" = Ukpatch_shadow_get ]
}

# modpost_options OPTION...: what modpost is given for a kernel with these options.
modpost_options()
{
	PROFILE=$BATS_TEST_TMPDIR NAME=x
	mkdir -p "$WORKDIR/link/kpatch"
	printf 'CONFIG_%s=y\n' NOTHING "$@" >"$PROFILE/config"
	link_step() { printf '%s\n' "${*:2}"; }
	pool() { :; }
	link_modpost
}

@test "modpost writes the CRCs in the forms that the kernel reads" {
	local names="-e -i kpatch/Module.symvers -o kpatch/modpost.symvers"
	[ "$(modpost_options)" = "scripts/mod/modpost -E $names kpatch/livepatch-x.o" ]
	[ "$(modpost_options MODVERSIONS SECTION_MISMATCH_WARN_ONLY)" = "scripts/mod/modpost $names -m kpatch/livepatch-x.o" ]
	[ "$(modpost_options MODVERSIONS BASIC_MODVERSIONS)" = "scripts/mod/modpost -E $names -m -b kpatch/livepatch-x.o" ]
	[ "$(modpost_options MODVERSIONS EXTENDED_MODVERSIONS)" = "scripts/mod/modpost -E $names -m -x kpatch/livepatch-x.o" ]
}
