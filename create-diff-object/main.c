// SPDX-License-Identifier: GPL-2.0-only
/*
 * create-diff-object: compare the original and the patched version of an object file, and write one
 * object with what changed and what that needs, bound to the running kernel. It stands between the
 * compile and the link stage of kpatch-build (doc/architecture.md).
 */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "diag.h"
#include "explain.h"

const char *argp_program_version = "create-diff-object (kpatch-shadow) " KPATCH_VERSION;

static const char doc[] =
	"Compare ORIG.o and PATCHED.o, and write to OUTPUT.o the functions that changed, what they need "
	"and the relocations that bind them to the running kernel."
	"\v"
	"OBJNAME is vmlinux or the name of the module that the object is part of. SYMTAB is the output "
	"of 'kpatch-image symtab' or of 'readelf -sW' for it, SYMVERS the kernel's Module.symvers, "
	"MODNAME the name of the livepatch module.\n\n"
	"Exit status: 0 written, 1 error, 2 the change cannot be made into a safe livepatch, 3 nothing "
	"changed.";

enum {
	OPT_VMLINUX_SYMTAB = 256,
	OPT_ELSEWHERE,
	OPT_REPORT,
	OPT_SOURCE,
	OPT_DEPENDS,
	OPT_MODULE_SYMTABS,
	OPT_PROOF,
	OPT_IMAGE,
	OPT_SKIP_IMAGE_CHECK,
	OPT_SAME_LINES,
	OPT_ALLOW_LAYOUT,
	OPT_KEEP_DEBUG,
	OPT_FINDINGS,
	OPT_CHANGED_LINES,
	OPT_TREES,
	OPT_EXPLAIN,
};

static const struct argp_option options[] = {
	{ "debug", 'd', NULL, 0, "Say what the passes find", 0 },
	{ "quiet", 'q', NULL, 0, "Print errors, refusals and warnings only", 0 },
	{ "vmlinux-symtab", OPT_VMLINUX_SYMTAB, "FILE", 0,
	  "Symbol table of vmlinux, for an object of a module", 0 },
	{ "defined-elsewhere", OPT_ELSEWHERE, "FILE", 0,
	  "Global names that other objects of the same patch add, one per line; of what was static there, a tab and the source file follow", 0 },
	{ "depends", OPT_DEPENDS, "MODULES", 0,
	  "Modules that the patched module depends on, with commas between them", 0 },
	{ "module-symtabs", OPT_MODULE_SYMTABS, "DIR", 0,
	  "Symbol tables of the modules that the patched module depends on, under their names", 0 },
	{ "proof", OPT_PROOF, "FILE", 0,
	  "The untouched source, compiled as the distribution did; needs --image", 0 },
	{ "image", OPT_IMAGE, "FILE", 0,
	  "What the kernel runs (vmlinuz, vmlinux or .ko), to prove the original against", 0 },
	{ "skip-image-check", OPT_SKIP_IMAGE_CHECK, NULL, 0,
	  "Warn only if the original differs from what the kernel runs", 0 },
	{ "same-lines", OPT_SAME_LINES, NULL, 0,
	  "What the patch leaves alone has the same line numbers in both sources: use them to tell variables apart", 0 },
	{ "allow-layout", OPT_ALLOW_LAYOUT, "TYPE", 0,
	  "The layout of TYPE (\"struct foo\") may change: no object of it outlives a call; may be given again", 0 },
	{ "keep-debug", OPT_KEEP_DEBUG, NULL, 0, "Keep the debugging information of PATCHED.o", 0 },
	{ "changed-lines", OPT_CHANGED_LINES, "FILE", 0, "Source lines that the patch changes, to tell why a function does", 0 },
	{ "trees", OPT_TREES, "PREFIX", 0,
	  "The sources are in PREFIXoriginal and PREFIXpatched: to tell why a function changes", 0 },
	{ "explain", OPT_EXPLAIN, "FUNCTION", 0,
	  "Show both versions of FUNCTION side by side, and write nothing; may be given again", 0 },
	{ "report", OPT_REPORT, "FILE", 0, "Write for other programs what changed", 0 },
	{ "findings", OPT_FINDINGS, "FILE", 0, "Write for other programs each error, refusal and warning, with a word for the reason", 0 },
	{ "source", OPT_SOURCE, "NAME", 0, "Name of the source file in messages", 0 },
	{ 0 }
};

struct name_set *find_or_add_name(struct name_set **names, const char *name)
{
	struct name_set *s;

	HASH_FIND_STR(*names, name, s);
	if (s)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->name = xstrdup(name);
	HASH_ADD_KEYPTR(hh, *names, s->name, strlen(s->name), s);
	return s;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const char **positional[] = { &o->orig_path,	&o->patched_path, &o->objname,
				      &o->symtab_path,	&o->symvers_path, &o->modname,
				      &o->output_path };
	const unsigned int n = sizeof(positional) / sizeof(*positional);

	switch (key) {
	case 'd':
		diag_set_debug(true);
		break;
	case 'q':
		diag_set_quiet(true);
		break;
	case OPT_VMLINUX_SYMTAB:
		o->vmlinux_symtab_path = arg;
		break;
	case OPT_ELSEWHERE:
		o->elsewhere_path = arg;
		break;
	case OPT_REPORT:
		o->report_path = arg;
		break;
	case OPT_SOURCE:
		o->source = arg;
		break;
	case OPT_DEPENDS:
		o->depends = arg;
		break;
	case OPT_MODULE_SYMTABS:
		o->module_symtabs = arg;
		break;
	case OPT_PROOF:
		o->proof_path = arg;
		break;
	case OPT_IMAGE:
		o->image_path = arg;
		break;
	case OPT_SKIP_IMAGE_CHECK:
		o->skip_image_check = true;
		break;
	case OPT_ALLOW_LAYOUT:
		find_or_add_name(&o->allowed_layouts, arg);
		break;
	case OPT_SAME_LINES:
		o->same_lines = true;
		break;
	case OPT_FINDINGS:
		return diag_findings(arg) ? EINVAL : 0;
	case OPT_KEEP_DEBUG:
		o->keep_debug = true;
		break;
	case OPT_CHANGED_LINES:
		o->changed_lines_path = arg;
		break;
	case OPT_TREES:
		o->trees = arg;
		break;
	case OPT_EXPLAIN:
		find_or_add_name(&o->explained, arg);
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num >= n)
			argp_error(state, "too many arguments");
		*positional[state->arg_num] = arg;
		break;
	case ARGP_KEY_END:
		if (state->arg_num < n)
			argp_error(state, "%u arguments are needed", n);
		if (!o->proof_path != !o->image_path)
			argp_error(state, "--proof and --image go together");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int read_elsewhere(struct diff *d)
{
	FILE *in = fopen(d->opt.elsewhere_path, "re");
	char *line = NULL, *file;
	struct name_set *s;
	size_t len = 0;
	ssize_t n;

	if (!in)
		return diag_error("%s: %s; is the path right?", d->opt.elsewhere_path, strerror(errno));
	while ((n = getline(&line, &len, in)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (!*line)
			continue;
		file = strchr(line, '\t');
		if (file)
			*file++ = '\0';
		s = find_or_add_name(&d->elsewhere, line);
		if (file)
			s->source = xstrdup(file);
	}
	free(line);
	fclose(in);
	return 0;
}

static int read_inputs(struct diff *d)
{
	const struct options *o = &d->opt;
	bool vmlinux = !strcmp(o->objname, "vmlinux");

	if (elf_file_open(&d->orig, o->orig_path) || elf_file_open(&d->patched, o->patched_path))
		return -1;
	if (symtab_read(&d->own_symtab, o->symtab_path, vmlinux))
		return -1;
	if (!vmlinux && o->vmlinux_symtab_path &&
	    symtab_read(&d->vmlinux_symtab, o->vmlinux_symtab_path, true))
		return -1;
	if (exports_read(&d->exports, o->symvers_path))
		return -1;
	if (o->elsewhere_path && read_elsewhere(d))
		return -1;
	if (o->changed_lines_path && read_hunks(&d->sources->hunks, o->changed_lines_path))
		return -1;
	if (o->trees) {
		d->sources->tree[ORIG] = xasprintf("%soriginal", o->trees);
		d->sources->tree[PATCHED] = xasprintf("%spatched", o->trees);
	}
	return 0;
}

/*
 * Did anything of the original change? A change that was not taken stays an error of
 * verify_output(); new static things that nothing uses are no change.
 */
static bool anything_changed(struct diff *d)
{
	for_each_atom(&d->patched, a)
		if (a->state == STATE_CHANGED)
			return true;
	return false;
}

static int run(struct diff *d)
{
	if (read_inputs(d) ||
	    prove_original(d) ||
	    cut_into_atoms(d, &d->orig) ||
	    cut_into_atoms(d, &d->patched) ||
	    read_types(d, &d->orig) ||
	    read_types(d, &d->patched) ||
	    pair_objects(d) ||
	    read_notes(d) ||
	    compare_objects(d) ||
	    spread_changes(d))
		return EXIT_ERROR;
	if (d->opt.explained)
		return explain_functions(d) ? EXIT_ERROR : EXIT_DONE;
	if (find_refusals(d) ||
	    check_prototypes(d))
		return EXIT_ERROR;
	if (select_atoms(d) || check_layouts(d) || check_annotations(d) || check_notes(d))
		return EXIT_ERROR;
	if (!diag_refusals() && !d->taken && !anything_changed(d))
		return EXIT_UNCHANGED;
	if (resolve_registrations(d) ||
	    build_output(d) ||
	    keep_debug(d))
		return EXIT_ERROR;
	if (diag_refusals())
		return EXIT_REFUSED;
	if (verify_output(d) ||
	    elf_out_write(&d->out, d->opt.output_path))
		return EXIT_ERROR;
	if (find_reasons(d) || find_risks(d) || write_report(d)) {
		unlink(d->opt.output_path);
		return EXIT_ERROR;
	}
	return EXIT_DONE;
}

/*
 * Everything stays until the end, so that nothing is given back to the system meanwhile, which would clear it when it
 * is asked for again: of 100,000 functions that is a tenth of the time.
 */
static void keep_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, 32 << 20);
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "ORIG.o PATCHED.o OBJNAME SYMTAB SYMVERS MODNAME OUTPUT.o", doc,
		NULL, NULL, NULL
	};
	struct diff d = { 0 };
	int status;

	keep_memory();
	d.sources = xcalloc(1, sizeof(*d.sources));
	diag_init(argv[0]);
	argp_err_exit_status = EXIT_ERROR;
	if (argp_parse(&argp, argc, argv, 0, NULL, &d.opt))
		return EXIT_ERROR;
	if (!d.opt.source)
		d.opt.source = d.opt.patched_path;
	status = run(&d);
	if (status == EXIT_UNCHANGED)
		diag_info("%s: nothing changed", d.opt.source);
	/* What the passes made goes with the process: freeing it piece by piece would only take time. */
	return status;
}
