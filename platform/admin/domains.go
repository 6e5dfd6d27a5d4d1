package admin

import (
	"context"

	"postern/dkim"
	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/directory"
	"postern/platform/zone"
)

func domainOf(d directory.Domain) Domain {
	return Domain{Name: d.Name, Separator: d.Separator, CatchAll: text(d.CatchAll), Created: d.Created}
}

// text is an address as it is shown, "" for none.
func text(a address.Address) string {
	if a.IsZero() {
		return ""
	}
	return a.String()
}

func (b *Backend) listDomains(request) ([]Domain, error) {
	domains := b.Directory.Domains()
	list := make([]Domain, len(domains))
	for i, d := range domains {
		list[i] = domainOf(d)
	}
	return list, nil
}

// addDomain makes the domain and its signing keys in one transaction: a domain that cannot sign must not send.
func (b *Backend) addDomain(r request, in NewDomain) (Domain, error) {
	name, err := address.NormalizeDomain(in.Name)
	if err != nil {
		return Domain{}, invalid("write one such as example.org", "%q is not a domain name", in.Name)
	}
	if _, exists := b.Directory.Domain(name); exists {
		return Domain{}, &Error{"exists", "the domain " + name + " is here already", ""}
	}
	keys, err := b.Keys.Generate(r, name)
	if err != nil {
		return Domain{}, err
	}
	var domain directory.Domain
	err = b.DB.Write(r, func(tx *db.Tx) error {
		if domain, err = b.Directory.AddDomainTx(tx, name); err != nil {
			return err
		}
		return b.Keys.InsertTx(tx, keys)
	})
	return domainOf(domain), err
}

func (b *Backend) domain(r request) (directory.Domain, error) {
	d, ok := b.Directory.Domain(r.path("domain"))
	if !ok {
		return d, &Error{"not_found", "there is no domain " + r.path("domain"), "`postern domain list` shows all"}
	}
	return d, nil
}

func (b *Backend) getDomain(r request) (DomainDetails, error) {
	d, err := b.domain(r)
	if err != nil {
		return DomainDetails{}, err
	}
	keys, err := b.Keys.Of(r, d.Name)
	if err != nil {
		return DomainDetails{}, err
	}
	details := DomainDetails{Domain: domainOf(d), Keys: []Key{}}
	for _, k := range keys {
		record, err := k.Record()
		if err != nil {
			return details, err
		}
		details.Keys = append(details.Keys, Key{Selector: k.Selector, Algorithm: string(k.Algorithm), State: string(k.State),
			Created: k.Created, Name: k.RecordName(), Record: record})
	}
	return details, nil
}

func (b *Backend) changeDomain(r request, in DomainChange) (Domain, error) {
	d, err := b.domain(r)
	if err != nil {
		return Domain{}, err
	}
	if in.Separator != nil {
		if err := b.Directory.SetSeparator(r, d.Name, *in.Separator); err != nil {
			return Domain{}, err
		}
	}
	if in.CatchAll != nil {
		var to address.Address
		if *in.CatchAll != "" {
			if to, err = parse(*in.CatchAll); err != nil {
				return Domain{}, err
			}
		}
		if err := b.Directory.SetCatchAll(r, d.Name, to); err != nil {
			return Domain{}, err
		}
	}
	d, err = b.domain(r)
	return domainOf(d), err
}

func (b *Backend) removeDomain(r request) (Nothing, error) {
	d, err := b.domain(r)
	if err != nil {
		return Nothing{}, err
	}
	return Nothing{}, b.DB.Write(r, func(tx *db.Tx) error {
		if err := b.Directory.RemoveDomainTx(tx, d.Name); err != nil {
			return err
		}
		if err := b.Policies.RemoveDomainTx(tx, d.Name); err != nil {
			return err
		}
		if err := b.Scripts.RemoveDomainTx(tx, d.Name); err != nil {
			return err
		}
		return b.Keys.RemoveDomainTx(tx, d.Name)
	})
}

// records gives what must stand in the DNS for a domain.
func (b *Backend) records(ctx context.Context, name string) (zone.Domain, []zone.Record, error) {
	keys, err := b.Keys.Of(ctx, name)
	if err != nil {
		return zone.Domain{}, nil, err
	}
	domain := zone.Domain{Name: name, Host: b.Hostname, Addresses: b.Addresses(), Keys: make([]*dkim.Key, 0, len(keys))}
	domain.Keys = append(domain.Keys, keys...)
	records, err := zone.Records(domain)
	return domain, records, err
}

func (b *Backend) getDNS(r request) (DNS, error) {
	d, err := b.domain(r)
	if err != nil {
		return DNS{}, err
	}
	domain, records, err := b.records(r, d.Name)
	if err != nil {
		return DNS{}, err
	}
	return DNS{Domain: d.Name, Host: b.Hostname, Records: records, Zone: zone.Zone(domain, records)}, nil
}

func (b *Backend) checkDNS(r request) (DNSCheck, error) {
	d, err := b.domain(r)
	if err != nil {
		return DNSCheck{}, err
	}
	_, records, err := b.records(r, d.Name)
	if err != nil {
		return DNSCheck{}, err
	}
	check := DNSCheck{Domain: d.Name, OK: true, Records: zone.Check(r, b.DNS, records)}
	for _, result := range check.Records {
		check.OK = check.OK && result.State == zone.OK
	}
	return check, nil
}
