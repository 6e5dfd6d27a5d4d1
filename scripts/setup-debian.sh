#!/usr/bin/env bash
# Installs what the tests talk to: real mail clients, real peers, PostgreSQL. Needs root on Debian or its kin; anywhere
# else it says so and changes nothing, and the tests that lack something say what. Only what is missing is installed, no
# service is started, none that it brings stays enabled, and no package is removed for it.
set -euo pipefail

packages=(
  # clients
  swaks msmtp isync mutt curl offlineimap3 imapfilter fdm getmail6 sieve-connect python3 libnet-ssleay-perl libauthen-sasl-perl libnet-dns-perl libsasl2-modules
  # a webmail and a browser; php-cgi stands first, else PHP brings a service: FPM or Apache
  php-cgi php-cli roundcube-core roundcube-sqlite3 roundcube-plugins chromium
  # peers and judges
  postfix dovecot-imapd fail2ban python3-dkim python3-nacl python3-authres openssl ca-certificates
  # scanners (spamassassin alone has no spamd) and what unpacks the corpora
  spamassassin spamd spamc rspamd clamav-daemon zstd
  # stores and the kernel's tools: loop devices, namespaces
  postgresql e2fsprogs util-linux mount iproute2 procps
)
services=(postfix dovecot fail2ban postgresql spamd rspamd clamav-daemon clamav-freshclam)
units=(clamav-daemon.socket clamav-freshclam-once.timer spamassassin-maintenance.timer phpsessionclean.timer roundcube-cleandb.timer roundcube-gc.timer)

missing=()
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "setup: not root on Debian, so nothing is installed; tests that lack a program say which" >&2
  exit 0
fi
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
echo "setup: installing ${missing[*]}"

# Services that were there before keep running as they are; those that come now are switched off again.
fresh=()
for service in "${services[@]}"; do
  [ -e "/lib/systemd/system/$service.service" ] || [ -e "/etc/init.d/$service" ] || fresh+=("$service.service")
done
for unit in "${units[@]}"; do
  [ -e "/lib/systemd/system/$unit" ] || fresh+=("$unit")
done

guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ] && [ ! -L "$guard" ]; then
  trap 'rm -f "$guard"' EXIT
  printf '#!/bin/sh\n# Set by the tests of Postern while they install: no service starts.\nexit 101\n' >"$guard"
  chmod 755 "$guard"
fi

export DEBIAN_FRONTEND=noninteractive
if command -v debconf-set-selections >/dev/null; then
  echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
  echo "roundcube-core roundcube/dbconfig-install boolean false" | debconf-set-selections
fi
apt-get update -q
apt-get install -q -y --no-install-recommends --no-remove "${missing[@]}"

if [ -d /run/systemd/system ]; then
  for unit in "${fresh[@]}"; do
    systemctl disable -q "$unit" 2>/dev/null || true
  done
fi
