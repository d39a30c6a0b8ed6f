# SPDX-License-Identifier: GPL-2.0-only
#
# Part of stage 6: the C source that registers the livepatch, from the reports of all objects joined into one
# (first file) and the template kmod/livepatch.c.in (second). Variables: module, name, release, version, replace.
# Ends with status 1 if there is nothing to register.

function identifier(text)
{
	gsub(/[^A-Za-z0-9_]/, "_", text)
	return text
}
function function_tables(    o, i)
{
	if (!("vmlinux" in known))
		print "static struct klp_func funcs_vmlinux[] = {\n\t{ }\n};\n"
	for (o = 1; o <= objects; o++) {
		printf "%sstatic struct klp_func funcs_%s[] = {\n", (o > 1 ? "\n" : ""), identifier(object[o])
		for (i = 1; i <= functions; i++)
			if (owner[i] == object[o]) {
				printf "\t{\n\t\t.old_name = \"%s\",\n\t\t.new_func = new_%d_%s,\n", old[i], i, identifier(old[i])
				printf "\t\t.old_sympos = %d,\n\t},\n", position[i]
			}
		print "\t{ }\n};"
	}
}
function shadow_table(    i, f)
{
	for (i = 1; i <= fields; i++) {
		split(shadow[i], f, "\t")
		if (f[7] != "-")
			printf "extern void dtor_%d(void *, void *) asm(\"%s\");\n", i, f[7]
	}
	print "static const struct kpatch_shadow_field shadow_fields[] = {"
	for (i = 1; i <= fields; i++) {
		split(shadow[i], f, "\t")
		printf "\t{\n\t\t.name = \"%s\",\n\t\t.id = 0x%sul,\n\t\t.size = %d,\n\t\t.align = %d,\n\t\t.version = %d,\n", f[2], f[3], f[4], f[5], f[6]
		if (f[7] != "-")
			printf "\t\t.dtor = dtor_%d,\n", i
		print "\t},"
	}
	print "\t{ }\n};"
	for (i = 1; i <= fields; i++) {
		split(shadow[i], f, "\t")
		printf "MODULE_INFO(kpatch_shadow, \"%s id=%s size=%d align=%d version=%d\");\n", f[2], f[3], f[4], f[5], f[6]
	}
}
function object_known(of)
{
	if (of in known)
		return
	known[of] = 1
	object[++objects] = of
}

# The author's callbacks, of every object chained behind those of the shadow core: they can use shadow variables. On the way
# back the kernel itself is the last object, so that only its own must be put in front of the core's, which destroys them.
# The kernel's loader takes a positive number for success, so that the patch would stay, disabled.
function callback_functions(    i, of, kind)
{
	if (callbacks)
		print "/* What the author wants to be called, and when. */"
	for (i = 1; i <= callbacks; i++)
		printf "extern %s callback_%d(struct klp_object *obj) asm(\"%s\");\n", \
			callback_kind[i] == "pre_patch" ? "int" : "void", i, callback_link[i]
	for (i = 1; i <= callbacks; i++) {
		of = callback_object[i]
		kind = callback_kind[i]
		call[of, kind] = "callback_" i
		if (kind == "pre_unpatch" || (kind == "post_unpatch" && of != "vmlinux"))
			continue
		call[of, kind] = kind "_" identifier(of)
		printf "\nstatic %s %s(struct klp_object *obj)\n{\n", kind == "pre_patch" ? "int" : "void", call[of, kind]
		if (kind == "post_patch")
			printf "\tkpatch_shadow_post_patch(obj);\n\tcallback_%d(obj);\n", i
		else if (kind == "post_unpatch")
			printf "\tcallback_%d(obj);\n\tkpatch_shadow_post_unpatch(obj);\n", i
		else
			printf "\tint err = kpatch_shadow_pre_patch(obj);\n\n\tif (err)\n\t\treturn err;\n\terr = callback_%d(obj);\n" \
				"\treturn err > 0 ? -EINVAL : err;\n", i
		print "}"
	}
	if (callbacks)
		print ""
}

function one_callback(of, kind, standard)
{
	if ((of, kind) in call)
		printf "\t\t\t.%s = %s,\n", kind, call[of, kind]
	else if (of == "vmlinux" && standard != "")
		printf "\t\t\t.%s = %s,\n", kind, standard
}

function one_object(of)
{
	print "\t{"
	if (of != "vmlinux")
		printf "\t\t.name = \"%s\",\n", of
	printf "\t\t.funcs = funcs_%s,\n", identifier(of)
	if (of == "vmlinux" || of in called) {
		print "\t\t.callbacks = {"
		one_callback(of, "pre_patch", "kpatch_shadow_pre_patch")
		one_callback(of, "post_patch", "kpatch_shadow_post_patch")
		one_callback(of, "pre_unpatch", "")
		one_callback(of, "post_unpatch", "kpatch_shadow_post_unpatch")
		print "\t\t},"
	}
	print "\t},"
}

# First the report, which may be many joined into one, then the template.
NR == FNR {
	if ($1 == "object") {
		current = $2
	} else if ($1 == "function") {
		functions++
		owner[functions] = current
		old[functions] = $2
		position[functions] = $3
		link_name[functions] = $4
		object_known(current)
	} else if ($1 == "callback") {
		callbacks++
		callback_object[callbacks] = current
		callback_kind[callbacks] = $2
		callback_link[callbacks] = $4
		called[current] = 1
		object_known(current)
	} else if ($1 == "ignored") {
		ignored[++ignores] = current ": " $3
	} else if ($1 == "shadow") {
		shadow[++fields] = $0
	} else if ($1 == "layout" && !($2 in allowed)) {
		allowed[$2] = 1
		layout[++layouts] = $2
	} else if ($1 == "namespace" && !($2 in imported)) {
		imported[$2] = 1
		namespace[++namespaces] = $2
	}
	next
}
$0 == "@SYMBOLS@" {
	for (i = 1; i <= functions; i++)
		printf "extern void new_%d_%s(void) asm(\"%s\");\n", i, identifier(old[i]), link_name[i]
	next
}
$0 == "@FUNCTIONS@" { function_tables(); next }
$0 == "@CALLBACKS@" { callback_functions(); next }
$0 == "@SHADOW@" { shadow_table(); next }
$0 == "@OBJECTS@" {
	for (o = 1; o <= objects; o++)
		if (object[o] != "vmlinux")
			one_object(object[o])
	one_object("vmlinux")
	next
}
$0 == "@NAMESPACES@" {
	for (i = 1; i <= layouts; i++)
		printf "MODULE_INFO(kpatch_layout, \"%s\");\n", layout[i]
	for (i = 1; i <= ignores; i++)
		printf "MODULE_INFO(kpatch_ignored, \"%s\");\n", ignored[i]
	if (namespaces)
		print "#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)"
	for (i = 1; i <= namespaces; i++)
		printf "MODULE_IMPORT_NS(\"%s\");\n", namespace[i]
	if (namespaces)
		print "#else"
	for (i = 1; i <= namespaces; i++)
		printf "MODULE_IMPORT_NS(%s);\n", namespace[i]
	if (namespaces)
		print "#endif"
	next
}
{
	gsub(/@MODULE@/, module)
	gsub(/@NAME@/, name)
	gsub(/@RELEASE@/, release)
	gsub(/@VERSION@/, version)
	gsub(/@REPLACE@/, replace)
	print
}
END { exit !functions && !callbacks }
