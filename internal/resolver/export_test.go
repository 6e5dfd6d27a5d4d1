package resolver

// Trusted tells whether a server's AD bit is believed.
func Trusted(addr string, trust ...string) bool {
	return New(Options{Servers: []string{addr}, TrustAD: trust}).servers[0].trustAD
}

// ServersOf reads a resolv.conf.
func ServersOf(path string) ([]string, error) {
	r, err := fromResolvConf(path, Options{})
	if err != nil {
		return nil, err
	}
	var list []string
	for _, s := range r.servers {
		list = append(list, s.addr)
	}
	return list, nil
}
