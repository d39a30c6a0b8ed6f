#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034 # variables that the driver reads
#
# Signatures: the options, what is said of keys and certificates that do not fit, and what is there in the end. With a
# kernel of one file, and a sign-file that calls openssl; test/integration/build-sign.bats has the real one, and
# test/own kernels that look at signatures.

bats_require_minimum_version 1.5.0
load driver-fixtures
load driver-whole
load driver-own
load ../integration/signature

setup_file()
{
	own_make_driver
	cd "$BATS_FILE_TMPDIR" || return
	signing_key mine
	signing_key other
}

setup()
{
	own_setup
	sign_file linux/scripts/sign-file
	own_build "$PWD/linux" "$PWD/linux"
	printf 'CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH="sha512"\n' >>linux/.config
	cp "$BATS_FILE_TMPDIR"/*.key "$BATS_FILE_TMPDIR"/*.pem .
}

# sign_file PROGRAM: takes the arguments of the kernel's, and writes them into the file "calls".
sign_file()
{
	program "$1" <<-END
		echo "\$# \$1 \$2 \$3" >>"$PWD/calls"
		if [ "\$1" = -s ]; then
			p7s=\$2 module=\$5 to=\$6
		else
			p7s=$PWD/p7s module=\$4 to=\$5
			openssl cms -sign -binary -noattr -nocerts -nosmimecap -md "\$1" -inkey "\$2" \
				\${KBUILD_SIGN_PIN+-passin env:KBUILD_SIGN_PIN} -signer "\$3" -outform DER -in "\$module" -out "\$p7s" || exit
		fi
		{
			cat "\$module" "\$p7s"
			printf '\\0\\0\\002\\0\\0\\0\\0\\0\\0\\0'
			stat -c %s "\$p7s" | awk '{ printf "%c%c", int(\$1 / 256), \$1 % 256 }'
			echo '~Module signature appended~'
		} >"\$to"
	END
}

# unsigned: what a build without a key makes, in unsigned.ko.
unsigned()
{
	own -s linux -o unsigned.ko -n fix
	[ "$status" -eq 0 ]
}

@test "the signature is over the whole module, with the hash of the configuration, and in the report" {
	unsigned
	own -s linux --sign-key mine.key --sign-cert mine.pem --json report.json
	expect 0 "$PWD/./livepatch-fix.ko"
	[[ $output == *"sign     sha512, CN=kpatch test\\, mine "* ]]
	signed_by livepatch-fix.ko mine.pem sha512
	cmp livepatch-fix.ko.unsigned unsigned.ko
	[ "$(cat calls)" = "5 sha512 mine.key mine.pem" ]
	[ "$(sed -n '/"signature":/,/}/p' report.json | tr -d ' \n')" = "\"signature\":{\"hash\":\"sha512\",\"signer\":\
\"CN=kpatchtest\\\\,mine\",\"serial\":\"$(openssl x509 -in mine.pem -noout -serial | sed 's/.*=//' | tr A-F a-f)\",\"sha256\":\
\"$(openssl x509 -in mine.pem -outform DER | sha256sum | cut -d ' ' -f 1)\"}," ]
	grep -qF "\"sha256\":\"$(sha256sum <livepatch-fix.ko | cut -d ' ' -f 1)\"" report.json
	# A signature of the same key for something else is none.
	run ! signed_by livepatch-fix.ko other.pem sha512
	run ! signed_by unsigned.ko mine.pem sha512
	sed -i 's/"sha512"/"sha384"/' linux/.config
	own -s linux --sign-key mine.key --sign-cert mine.pem
	[ "$status" -eq 0 ]
	signed_by livepatch-fix.ko mine.pem sha384
}

@test "the certificate may be in the file of the key, or in DER form" {
	cat mine.key mine.pem >both.pem
	own -s linux --sign-key both.pem
	[ "$status" -eq 0 ]
	signed_by livepatch-fix.ko mine.pem sha512
	[ "$(cat calls)" = "5 sha512 both.pem both.pem" ]
	openssl x509 -in mine.pem -outform DER -out mine.der
	own -s linux --sign-key=mine.key --sign-cert=mine.der
	[ "$status" -eq 0 ]
	signed_by livepatch-fix.ko mine.pem sha512
}

@test "keys and certificates that cannot be: one error each, before any work" {
	own -s linux --sign-cert mine.pem
	one_error "--sign-cert mine.pem: needs the key that belongs to it, with --sign-key"
	own -s linux --sign-key none.key
	one_error "none.key: cannot be read; give the private key to sign with, or the pkcs11: URI of one, with --sign-key"
	own -s linux --sign-key linux
	one_error "linux: cannot be read; give the private key to sign with, or the pkcs11: URI of one, with --sign-key"
	own -s linux --sign-key mine.pem --sign-cert mine.pem
	one_error "mine.pem: holds no private key in PEM form; give the file of the key to sign with"
	openssl pkey -in mine.key -outform DER -out der.key
	own -s linux --sign-key der.key --sign-cert mine.pem
	one_error "der.key: holds no private key in PEM form; give the file of the key to sign with"
	own -s linux --sign-key mine.key
	one_error "mine.key: holds no certificate beside the key; give it with --sign-cert"
	own -s linux --sign-key mine.key --sign-cert none.pem
	one_error "none.pem: cannot be read; give the certificate that belongs to the key with --sign-cert"
	own -s linux --sign-key mine.key --sign-cert fix.patch
	one_error "fix.patch: holds no certificate, in PEM or DER form; give the one that belongs to the key"
	own -s linux --sign-key mine.key --sign-cert other.pem
	one_error "other.pem: does not belong to the key in mine.key; give the certificate that was made for that key"
	own -s linux --sign-key 'pkcs11:token=kpatch;pin-value=1234;object=mine'
	one_error "--sign-key pkcs11:token=kpatch;pin-value=...;object=mine: needs the certificate that belongs to it, with --sign-cert"
	own -s linux --sign-key= --sign-cert mine.pem
	one_error "option --sign-key needs a value"
	[ ! -e cache/kpatch/profiles ]
}

# bare COMMAND...: root reads everything, unless it has no capabilities.
bare()
{
	if [ "$EUID" -eq 0 ]; then
		setpriv --bounding-set=-all --inh-caps=-all "$@"
	else
		"$@"
	fi
}

@test "a key that its user cannot read" {
	local check="source '$DRIVER'; ui_init; SIGN_KEY=mine.key SIGN_CERT=mine.pem; sign_check"
	run -0 bare bash -c "$check"
	chmod 0 mine.key
	run bare bash -c "$check"
	expect 1 "kpatch-build: error: mine.key: cannot be read; give the private key to sign with, or the pkcs11: URI of one, with --sign-key"
}

@test "a key with a passphrase, of either form: KBUILD_SIGN_PIN, as for the kernel's build" {
	local form
	for form in '' -traditional; do
		openssl rsa $form -aes256 -passout pass:secret-word -in mine.key -out locked.key 2>/dev/null
		own -s linux --sign-key locked.key --sign-cert mine.pem
		one_error "locked.key: has a passphrase; give it in the environment, as KBUILD_SIGN_PIN"
		KBUILD_SIGN_PIN=wrong own -s linux --sign-key locked.key --sign-cert mine.pem
		one_error "locked.key: cannot be read with the passphrase in KBUILD_SIGN_PIN"
		KBUILD_SIGN_PIN='' own -s linux --sign-key locked.key --sign-cert mine.pem
		one_error "locked.key: cannot be read with the passphrase in KBUILD_SIGN_PIN"
		KBUILD_SIGN_PIN=secret-word own -s linux --sign-key locked.key --sign-cert mine.pem --skip-cleanup
		[ "$status" -eq 0 ]
		signed_by livepatch-fix.ko mine.pem sha512
		# Nobody can read it up there.
		run ! grep -rqF secret-word tmp cache
		[[ $output != *secret-word* ]]
		rm -r livepatch-fix.ko* tmp/*
	done
}

@test "sign-file fails: what it says, and no module" {
	printf 'echo "SSL error: no such digest" >&2; exit 1\n' | program linux/scripts/sign-file
	own -s linux --sign-key mine.key --sign-cert mine.pem --json report.json
	one_error "livepatch_fix: signing with mine.key failed"
	[[ $output == *$'\nSSL error: no such digest\n'* ]]
	grep -qF '"signature":null' report.json
	grep -qF '"reason":"sign"' report.json
	[ -z "$(find . -name '*.ko*' ! -path './linux/*' ! -path './cache/*')" ]
	# An older one stays.
	echo old >livepatch-fix.ko
	own -s linux --sign-key mine.key --sign-cert mine.pem
	[ "$status" -eq 1 ]
	[ "$(cat livepatch-fix.ko)" = old ]
}

@test "a kernel without sign-file" {
	rm linux/scripts/sign-file
	own -s linux --sign-key mine.key --sign-cert mine.pem
	one_error "9.9.0-own: its build tools lack scripts/sign-file; leave out --sign-key, and sign the module with the sign-file of another kernel"
}

@test "a kernel that looks at no signature: a warning, and the module is not signed" {
	sed -i '/MODULE_SIG/d' linux/.config
	unsigned
	own -s linux --sign-key mine.key --sign-cert mine.pem --json report.json
	expect 0 "kpatch-build: warning: 9.9.0-own: its configuration lacks CONFIG_MODULE_SIG, so it looks at no signature: the module is not signed"
	cmp livepatch-fix.ko unsigned.ko
	grep -qF '"signature":null' report.json
	[ ! -e calls ]
}

@test "a kernel that loads signed modules only: a note, if there is no key" {
	echo CONFIG_MODULE_SIG_FORCE=y >>linux/.config
	own -s linux
	expect 0 "kpatch-build: note: 9.9.0-own loads only signed modules (CONFIG_MODULE_SIG_FORCE): sign this one, or give --sign-key"
	own -s linux --sign-key mine.key --sign-cert mine.pem
	[ "$status" -eq 0 ]
	[[ $output != *"note:"* ]]
}

@test "without a module nothing is signed" {
	own -s linux --sign-key mine.key --sign-cert mine.pem --dry-run
	[ "$status" -eq 0 ]
	[ ! -e calls ]
	own -s linux --sign-key mine.key --sign-cert other.pem --dry-run
	one_error "other.pem: does not belong to the key in mine.key; give the certificate that was made for that key"
}

# ---- keys in tokens ----

readonly URI='pkcs11:token=kpatch;object=mine;type=private'

@test "a key in a token makes the signature that the same key in a file makes" {
	signing_token mine
	own -s linux -o file.ko -n fix --sign-key mine.key --sign-cert mine.pem
	[ "$status" -eq 0 ]
	KBUILD_SIGN_PIN=1234 own -s linux --sign-key "$URI" --sign-cert mine.pem
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	cmp file.ko livepatch-fix.ko
}

@test "a PIN in the URI is shown to nobody" {
	signing_token mine
	own -s linux --sign-key "$URI?pin-value=1234" --sign-cert mine.pem --skip-cleanup
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	grep -rqF 'type=private?pin-value=...' tmp
	run ! grep -rqF 'pin-value=1234' tmp cache
	own -s linux --sign-key "$URI?pin-value=4321" --sign-cert mine.pem
	expect 1 "kpatch-build: error: livepatch_fix: signing with $URI?pin-value=... failed"
	[[ $output == *"PIN incorrect"* ]]
	[[ $output != *4321* ]]
	run ! grep -rqF 4321 cache/kpatch/log
}

@test "a token without its PIN, without that key, and with another key's certificate: errors, and no module" {
	signing_token mine
	own -s linux --sign-key "$URI" --sign-cert mine.pem
	one_error "livepatch_fix: signing with $URI failed; if the token wants a PIN, give it in the environment, as KBUILD_SIGN_PIN"
	[[ $output != *"Segmentation fault"* ]]
	export KBUILD_SIGN_PIN=1234
	own -s linux --sign-key "${URI/mine/none}" --sign-cert mine.pem
	one_error "livepatch_fix: signing with ${URI/mine/none} failed"
	[[ $output == *"object not found"* ]]
	own -s linux --sign-key "$URI" --sign-cert other.pem
	one_error "livepatch_fix: signing with $URI failed"
	[[ $output == *"private key does not match certificate"* ]]
}

# openssl_with WORD...: an openssl that can do what the words are, "list" a provider for tokens or use an "engine".
openssl_with()
{
	program bin/openssl <<-END
		case \$1 in
		list | engine) case " $* " in *" \$1 "*) exit 0 ;; *) exit 1 ;; esac ;;
		esac
		exec $(command -v openssl) "\$@"
	END
}

@test "with a provider for tokens sign-file reaches the key itself; with nothing, that is said at once" {
	printf 'echo "$1 $2 $3" >>%q; cp "$4" "$5"\n' "$PWD/calls" | program linux/scripts/sign-file
	openssl_with list
	PATH=$PWD/bin:$PATH own -s linux --sign-key "$URI" --sign-cert mine.pem
	[ "$status" -eq 0 ]
	[ "$(cat calls)" = "sha512 $URI mine.pem" ]
	rm livepatch-fix.ko
	openssl_with
	PATH=$PWD/bin:$PATH own -s linux --sign-key "$URI" --sign-cert mine.pem
	one_error "$URI: OpenSSL has no way to tokens here; install its provider for PKCS#11 (apt-get install pkcs11-provider) or, on Debian 12, its engine (apt-get install libengine-pkcs11-openssl)"
}

@test "what would ask for a PIN on the terminal fails, and does not stop" {
	driver_source
	run timeout 10 bash -c "$(declare -f sign_alone)"'; sign_alone bash -c "kill -TTIN \$\$; kill -TTOU \$\$; echo goes on"'
	expect 0 "goes on"
}

@test "without openssl, its package is named" {
	driver_source
	command() { [[ $2 != openssl ]] && builtin command "$@"; }
	SIGN_KEY=mine.key
	run sign_check
	expect 1 "kpatch-build: error: programs are missing; install them: apt-get install openssl"
}
