# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the stages share these variables
#
# Stage 7, with --sign-key: the signature, as the kernel's build appends it to the modules that it installs. It is over the
# whole file, so nothing is changed in the module afterwards. The hash is the one in the kernel's configuration, the program
# is sign-file of the kernel's build tools, and the passphrase of a key, or the PIN of a token, is in KBUILD_SIGN_PIN.
#
# sign-file that was built with OpenSSL 3 reaches a token through a provider, which Debian 12 does not have. There the
# openssl command signs, through OpenSSL's older way to tokens, an engine; sign-file appends what that makes, and the
# bytes are the same.
#
# Whether the kernel trusts the key cannot be told here: keys are enrolled in the machine that runs it.

SIGN_KEY=		# --sign-key: a file, or a URI that begins with pkcs11:
SIGN_CERT=		# --sign-cert: may be in the file of the key
SIGN_SHOWN=		# the key as it may be shown, without a PIN
SIGN_PUBLIC=		# public key of the key in a file
SIGN_ENGINE=0		# the token is reached through an engine
SIGNATURE=		# for the report, once there is one: hash, signer, serial number and checksum of the certificate

sign_wanted()
{
	[[ -n $SIGN_KEY ]]
}

sign_token()
{
	[[ $SIGN_KEY == pkcs11:* ]]
}

# sign_check: what can be wrong with the options, before any work is done.
sign_check()
{
	if ! sign_wanted; then
		[[ -z $SIGN_CERT ]] || usage_error "--sign-cert $SIGN_CERT: needs the key that belongs to it, with --sign-key"
		return 0
	fi
	SIGN_SHOWN=$(sign_hide <<<"$SIGN_KEY")
	programs_check openssl:openssl
	if sign_token; then
		[[ -n $SIGN_CERT ]] ||
			usage_error "--sign-key $SIGN_SHOWN: needs the certificate that belongs to it, with --sign-cert"
		sign_token_check
	else
		sign_key_check
	fi
	sign_cert_check
}

# sign_token_check: the token itself is left alone, since some count how often a PIN was wrong.
sign_token_check()
{
	! openssl list -providers -provider pkcs11 >/dev/null 2>&1 || return 0
	openssl engine pkcs11 >/dev/null 2>&1 ||
		die "$SIGN_SHOWN: OpenSSL has no way to tokens here; install its provider for PKCS#11 (apt-get install pkcs11-provider) or, on Debian 12, its engine (apt-get install libengine-pkcs11-openssl)"
	SIGN_ENGINE=1
}

# sign_key_check: sets SIGN_PUBLIC. What sign-file reads is PEM.
sign_key_check()
{
	local pass=pass:
	[[ -f $SIGN_KEY && -r $SIGN_KEY ]] ||
		die "$SIGN_KEY: cannot be read; give the private key to sign with, or the pkcs11: URI of one, with --sign-key"
	if grep -qE '^(-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)' "$SIGN_KEY"; then
		[[ -v KBUILD_SIGN_PIN ]] || die "$SIGN_KEY: has a passphrase; give it in the environment, as KBUILD_SIGN_PIN"
		pass=env:KBUILD_SIGN_PIN
	fi
	if ! SIGN_PUBLIC=$(openssl pkey -in "$SIGN_KEY" -inform PEM -passin "$pass" -pubout 2>/dev/null); then
		[[ $pass == pass: ]] || die "$SIGN_KEY: cannot be read with the passphrase in KBUILD_SIGN_PIN"
		die "$SIGN_KEY: holds no private key in PEM form; give the file of the key to sign with"
	fi
}

# sign_cert_check: sets SIGN_CERT. Of a key in a token sign-file finds out whether it belongs to it.
sign_cert_check()
{
	local public file=${SIGN_CERT:-$SIGN_KEY}
	[[ -f $file && -r $file ]] || die "$file: cannot be read; give the certificate that belongs to the key with --sign-cert"
	if ! public=$(sign_x509 "$file" -pubkey); then
		[[ -n $SIGN_CERT ]] || die "$file: holds no certificate beside the key; give it with --sign-cert"
		die "$file: holds no certificate, in PEM or DER form; give the one that belongs to the key"
	fi
	SIGN_CERT=$file
	sign_token || [[ $public == "$SIGN_PUBLIC" ]] ||
		die "$SIGN_CERT: does not belong to the key in $SIGN_KEY; give the certificate that was made for that key"
}

# sign_x509 FILE OPTION...: what openssl says of a certificate.
sign_x509()
{
	local file=$1
	shift
	openssl x509 -in "$file" -inform PEM -noout "$@" 2>/dev/null || openssl x509 -in "$file" -inform DER -noout "$@" 2>/dev/null
}

# sign_hide: a URI may hold the PIN.
sign_hide()
{
	sed -E 's/(pin-value=)[^;&?[:space:]]*/\1.../g'
}

# sign_module: signs the module in $WORKDIR, in which nothing is changed any more.
sign_module()
{
	local module=$WORKDIR/link/kpatch/livepatch-$NAME.ko signer=$PROFILE/src/scripts/sign-file hash how=()
	if ! sign_wanted; then
		! grep -qx CONFIG_MODULE_SIG_FORCE=y "$PROFILE/config" ||
			note "$RELEASE loads only signed modules (CONFIG_MODULE_SIG_FORCE): sign this one, or give --sign-key"
		return 0
	fi
	if ! grep -qx CONFIG_MODULE_SIG=y "$PROFILE/config"; then
		warning "$RELEASE: its configuration lacks CONFIG_MODULE_SIG, so it looks at no signature: the module is not signed"
		return 0
	fi
	stage_begin sign "$MODNAME"
	[[ -x $signer ]] ||
		die "$RELEASE: its build tools lack scripts/sign-file; leave out --sign-key, and sign the module with the sign-file of another kernel"
	hash=$(sed -n 's/^CONFIG_MODULE_SIG_HASH="\(.*\)"$/\1/p' "$PROFILE/config")
	if ((SIGN_ENGINE)); then
		# sign-file wants neither attributes nor certificates in it.
		how=(-binary -noattr -nocerts -nosmimecap -md "$hash" -signer "$SIGN_CERT" -outform DER)
		[[ ! -v KBUILD_SIGN_PIN ]] || how+=(-passin env:KBUILD_SIGN_PIN)
		sign_step openssl cms -sign -engine pkcs11 -keyform engine -inkey "$SIGN_KEY" "${how[@]}" -in "$module" -out "$module.p7s"
		sign_step "$signer" -s "$module.p7s" "$hash" "$SIGN_CERT" "$module" "$module.signed"
	else
		sign_step "$signer" "$hash" "$SIGN_KEY" "$SIGN_CERT" "$module" "$module.signed"
	fi
	mv -f "$module.signed" "$module"
	SIGNATURE=$(sign_facts "$hash")
	stage_end "$hash, $(cut -f 2 <<<"$SIGNATURE")"
}

# sign_step COMMAND...
sign_step()
{
	local text=$WORKDIR/sign.text hint=
	log "+ $(sign_hide <<<"$*")"
	if job sign_alone "$@" >"$text" 2>&1; then
		sign_hide <"$text" >>"$LOG"
		return 0
	fi
	! sign_token || [[ -v KBUILD_SIGN_PIN || $SIGN_KEY == *pin-* ]] ||
		hint="; if the token wants a PIN, give it in the environment, as KBUILD_SIGN_PIN"
	sign_hide <"$text" >>"$LOG"
	clear_line
	# OpenSSL 3.0 crashes behind its message, if there is no such key or PIN.
	sign_hide <"$text" | grep -v ' Segmentation fault ' | head -n 20 >&"$STDERR" || true
	failed "$WORKDIR" "$MODNAME: signing with $SIGN_SHOWN failed$hint"
}

# sign_alone COMMAND...: it may ask for a PIN on the terminal, which would stop it in the background; so it fails.
sign_alone()
{
	trap '' TTIN TTOU
	exec "$@"
}

# sign_facts HASH: SIGNATURE.
sign_facts()
{
	sign_x509 "$SIGN_CERT" -subject -nameopt RFC2253 -serial -fingerprint -sha256 | awk -v OFS='\t' -v hash="$1" '
		sub(/^subject= */, "") { signer = $0 }
		sub(/^serial= */, "") { serial = tolower($0) }
		sub(/^[^=]*Fingerprint= */, "") { gsub(/:/, ""); sum = tolower($0) }
		END { print hash, signer, serial, sum }'
}
