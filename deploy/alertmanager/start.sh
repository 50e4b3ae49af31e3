#!/bin/sh
# Writes Alertmanager's configuration by the environment, then becomes Alertmanager. With neither
# ALERT_MAIL_TO nor ALERT_WEBHOOK_URL it shows alerts on its page and sends nothing to anybody.
#   ALERT_MAIL_TO           addresses, separated by commas
#   ALERT_SMARTHOST         HOST:PORT of the mail server that takes the mail
#   ALERT_MAIL_FROM         the sender; unset: the first of ALERT_MAIL_TO
#   ALERT_MAIL_USER         the user there, and one of these:
#   ALERT_MAIL_PASSWORD     the password
#   ALERT_MAIL_SECRET       a file that holds it; one that is empty counts as unset
#   ALERT_MAIL_TLS          false: the mail server knows no TLS
#   ALERT_WEBHOOK_URL       where alerts are posted to as JSON
set -eu
umask 077
folder="${TMPDIR:-/tmp}"
config="$folder/alertmanager.yml"

die() { printf 'alertmanager: %s\n' "$*" >&2; exit 2; }

# A value as YAML takes it, whatever is in it.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"; }

mail() {
    [ -n "${ALERT_SMARTHOST:-}" ] || die "ALERT_MAIL_TO needs ALERT_SMARTHOST, HOST:PORT of a mail server."
    cat <<END
    email_configs:
      - to: $(quoted "$ALERT_MAIL_TO")
        from: $(quoted "${ALERT_MAIL_FROM:-${ALERT_MAIL_TO%%,*}}")
        smarthost: $(quoted "$ALERT_SMARTHOST")
        require_tls: ${ALERT_MAIL_TLS:-true}
        send_resolved: true
END
    [ -n "${ALERT_MAIL_USER:-}" ] || return 0
    secret="${ALERT_MAIL_SECRET:-}"
    if [ -n "${ALERT_MAIL_PASSWORD:-}" ]; then
        secret="$folder/mail-password"
        printf '%s' "$ALERT_MAIL_PASSWORD" >"$secret"
    fi
    [ -s "$secret" ] || die "ALERT_MAIL_USER needs ALERT_MAIL_PASSWORD or ALERT_MAIL_PASSWORD_FILE."
    [ -r "$secret" ] || die "The file of ALERT_MAIL_PASSWORD_FILE may not be read by user $(id -u)."
    cat <<END
        auth_username: $(quoted "$ALERT_MAIL_USER")
        auth_password_file: $(quoted "$secret")
END
}

webhook() {
    cat <<END
    webhook_configs:
      - url: $(quoted "$ALERT_WEBHOOK_URL")
        send_resolved: true
END
}

{
    cat <<END
route:
  receiver: rushes
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
receivers:
  - name: rushes
END
    if [ -n "${ALERT_MAIL_TO:-}" ]; then mail; fi
    if [ -n "${ALERT_WEBHOOK_URL:-}" ]; then webhook; fi
} >"$config"
exec alertmanager "--config.file=$config" "$@"
