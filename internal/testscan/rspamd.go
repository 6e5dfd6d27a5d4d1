package testscan

import (
	"strings"
	"testing"

	"postern/internal/testenv"
)

// What a test's mail must hold in its Subject to be judged by [Rspamd].
const (
	RspamdSpam  = "cheap pills"   // 7.5 points of 6: add header
	RspamdMaybe = "perhaps pills" // 4.5 points: greylist
)

const rspamdConf = `lua = "DIR/rules.lua";
options {
  filters = "chartable,regexp";
  pidfile = "DIR/pid"; tempdir = "DIR"; rrd = "DIR/rrd"; stats_file = "DIR/stats"; hs_cache_dir = "DIR"; dynamic_conf = "DIR/dynamic";
  control_socket = "DIR/control mode=0600";
  url_tld = "DIR/tld";
  disable_hyperscan = true;
  dns { nameserver = "127.0.0.1:9:1"; timeout = 0.1s; retransmits = 1; }
}
logging { type = "file"; filename = "DIR/rspamd.log"; level = "info"; }
worker "normal" { bind_socket = "ADDRESS"; count = 1; }
actions { reject = 15; "add header" = 6; greylist = 4; }
modules { path = "/usr/share/rspamd/plugins/milter_headers.lua"; }
milter_headers {
  use = ["x-spamd-bar", "x-spam-level", "x-spam-status", "x-spamd-result"];
  skip_local = false; skip_authenticated = false;
}
regexp { }
`

const rspamdRules = `config['regexp'] = {}
config['regexp']['TEST_SPAM'] = { re = 'Subject=/cheap pills/i{header}', score = 7.5, description = 'sells pills', group = 'test' }
config['regexp']['TEST_MAYBE'] = { re = 'Subject=/perhaps pills/i{header}', score = 4.5, description = 'may sell pills', group = 'test' }
`

// Rspamd starts rspamd with two rules of the test's, none of its own, and no resolver.
func Rspamd(t testing.TB) *Daemon {
	t.Helper()
	program := testenv.Need(t, "rspamd")[0]
	dir, address := folder(t), loopback(freePort(t))
	write(t, dir, "rules.lua", rspamdRules)
	// Its own list of top-level domains has thousands, which take long to compile.
	write(t, dir, "tld", "com\norg\nnet\ntest\nexample\n")
	conf := strings.NewReplacer("DIR", dir, "ADDRESS", address).Replace(rspamdConf)
	return launch(t, &Daemon{
		Setting: "rspamd:http://" + address, program: program, address: address, dir: dir, as: unprivileged(t, "_rspamd"),
		args: []string{"--no-fork", "--config=" + write(t, dir, "rspamd.conf", conf)},
	})
}
