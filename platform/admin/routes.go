package admin

import (
	"net/http"
	"reflect"
	"slices"

	"postern/internal/verdict"
	"postern/platform/zone"
)

// route is one row of the table: what is served and what the OpenAPI document says of it.
type route struct {
	method, path string
	// id is the operation's name in the document and in generated clients.
	id, summary string
	in, out     reflect.Type
	// body is the media type of a request that is no JSON.
	body    string
	status  int
	streams bool
	handler func(*Backend) http.Handler
}

// in makes a route that reads a body.
func in[In, Out any](method, path, id, summary string, status int, f func(*Backend, request, In) (Out, error)) route {
	return route{method: method, path: path, id: id, summary: summary, status: status,
		in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](), handler: func(b *Backend) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				var input In
				if err := decode(req, &input); err != nil {
					b.refuse(w, req, err)
					return
				}
				b.serve(w, req, status, func() (any, error) { return f(b, request{req.Context(), req}, input) })
			})
		}}
}

// out makes a route without a body.
func out[Out any](method, path, id, summary string, f func(*Backend, request) (Out, error)) route {
	return route{method: method, path: path, id: id, summary: summary, status: http.StatusOK,
		out: reflect.TypeFor[Out](), handler: func(b *Backend) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				b.serve(w, req, http.StatusOK, func() (any, error) { return f(b, request{req.Context(), req}) })
			})
		}}
}

func (b *Backend) serve(w http.ResponseWriter, req *http.Request, status int, f func() (any, error)) {
	output, err := f()
	if err != nil {
		b.refuse(w, req, err)
		return
	}
	if req.Method != http.MethodGet {
		b.Log.Info("administered", "method", req.Method, "path", req.URL.Path)
	}
	answer(w, status, output)
}

// routes is the whole API.
func routes() []route {
	const created = http.StatusCreated
	return append([]route{
		out("GET", "/v1/server", "getServer", "Who answers.", (*Backend).server),
		out("POST", "/v1/reload", "reload", "Take the certificate from its files again.", (*Backend).reload),
		out("GET", "/v1/check", "check", "Examine the server and its surroundings.", (*Backend).check),
		{method: "POST", path: "/v1/verify", id: "verify", summary: "Read everything that is stored and compare it with its checksums; progress comes in lines.",
			status: http.StatusOK, out: reflect.TypeFor[VerifyEvent](), streams: true,
			handler: func(b *Backend) http.Handler { return http.HandlerFunc(b.verify) }},
		{method: "GET", path: "/v1/openapi.json", id: "getOpenAPI", summary: "This document.",
			status: http.StatusOK, out: reflect.TypeFor[map[string]any](),
			handler: func(*Backend) http.Handler { return http.HandlerFunc(serveDocument) }},

		out("GET", "/v1/domains", "listDomains", "The mail domains.", (*Backend).listDomains),
		in("POST", "/v1/domains", "addDomain", "Make a domain ours, with DKIM keys.", created, (*Backend).addDomain),
		out("GET", "/v1/domains/{domain}", "getDomain", "A domain with its keys.", (*Backend).getDomain),
		in("PATCH", "/v1/domains/{domain}", "changeDomain", "Change a domain's subaddresses or catch-all.", http.StatusOK, (*Backend).changeDomain),
		out("DELETE", "/v1/domains/{domain}", "removeDomain", "Give a domain up; it must be empty.", (*Backend).removeDomain),
		out("GET", "/v1/domains/{domain}/dns", "getDNS", "What must stand in the DNS.", (*Backend).getDNS),
		out("GET", "/v1/domains/{domain}/dns/check", "checkDNS", "Compare it with what stands there.", (*Backend).checkDNS),

		in("POST", "/v1/reports/summary", "summariseReports", "What others reported about our domains.", http.StatusOK, (*Backend).summariseReports),
		in("POST", "/v1/reports/sent", "listSentReports", "What we reported to others.", http.StatusOK, (*Backend).listSentReports),

		out("GET", "/v1/users", "listUsers", "The users.", (*Backend).listUsers),
		in("POST", "/v1/users", "addUser", "Make a user with their mailboxes.", created, (*Backend).addUser),
		out("GET", "/v1/users/{address}", "getUser", "A user with what belongs to them.", (*Backend).getUser),
		in("PATCH", "/v1/users/{address}", "changeUser", "Change a user.", http.StatusOK, (*Backend).changeUser),
		out("DELETE", "/v1/users/{address}", "removeUser", "Remove a user with all their mail.", (*Backend).removeUser),
		in("PUT", "/v1/users/{address}/password", "setPassword", "Give a user another password.", http.StatusOK, (*Backend).setPassword),

		out("GET", "/v1/outbound/holds", "listHolds", "Accounts whose outgoing mail waits.", (*Backend).listHolds),
		out("DELETE", "/v1/outbound/holds/{address}", "liftHold", "Let an account send again; what waits stays held until it is released.", (*Backend).liftHold),

		out("GET", "/v1/aliases", "listAliases", "The aliases.", (*Backend).listAliases),
		in("POST", "/v1/aliases", "addAlias", "Give users a further address.", created, (*Backend).addAlias),
		out("DELETE", "/v1/aliases/{address}", "removeAlias", "Remove an alias.", (*Backend).removeAlias),

		out("GET", "/v1/groups", "listGroups", "The groups.", (*Backend).listGroups),
		in("POST", "/v1/groups", "addGroup", "Make a group.", created, (*Backend).addGroup),
		out("GET", "/v1/groups/{address}", "getGroup", "A group with its members.", (*Backend).getGroup),
		out("DELETE", "/v1/groups/{address}", "removeGroup", "Remove a group; its members stay.", (*Backend).removeGroup),
		out("PUT", "/v1/groups/{address}/members/{member}", "addMember", "Add a member.", (*Backend).addMember),
		out("DELETE", "/v1/groups/{address}/members/{member}", "removeMember", "Take a member out.", (*Backend).removeMember),

		out("GET", "/v1/grants", "listGrants", "Who may send as whom, beyond their own addresses.", (*Backend).listGrants),
		in("POST", "/v1/grants", "addGrant", "Let a user send as another address of ours.", created, (*Backend).addGrant),
		out("DELETE", "/v1/grants/{user}/{as}", "removeGrant", "Take a grant back.", (*Backend).removeGrant),

		in("POST", "/v1/queue/list", "listQueue", "Recipients that wait, by a filter.", http.StatusOK, (*Backend).listQueue),
		out("GET", "/v1/queue/messages/{id}", "getMessage", "A message in the queue.", (*Backend).getMessage),
		in("POST", "/v1/queue/retry", "retryQueue", "Try again now.", http.StatusOK, (*Backend).retryQueue),
		in("POST", "/v1/queue/hold", "holdQueue", "Try no more until released.", http.StatusOK, (*Backend).holdQueue),
		in("POST", "/v1/queue/release", "releaseQueue", "Try those again that are held.", http.StatusOK, (*Backend).releaseQueue),
		in("POST", "/v1/queue/drop", "dropQueue", "Remove from the queue; nobody is told.", http.StatusOK, (*Backend).dropQueue),

		out("GET", "/v1/settings", "listSettings", "Every setting with its documentation.", (*Backend).listSettings),
		out("GET", "/v1/settings/{name}", "getSetting", "One setting.", (*Backend).getSetting),
		in("PUT", "/v1/settings/{name}", "setSetting", "Change a setting; it is in force at once.", http.StatusOK, (*Backend).setSetting),
		out("DELETE", "/v1/settings/{name}", "resetSetting", "Give a setting its default again.", (*Backend).resetSetting),
	}, slices.Concat(spamRoutes(), learningRoutes(), scriptRoutes(), storyRoutes())...)
}

// enums are the texts that fields of these types can have, for the document.
func enums() map[reflect.Type][]string {
	return map[reflect.Type][]string{
		reflect.TypeFor[zone.State]():     {string(zone.OK), string(zone.Missing), string(zone.Different), string(zone.Unknown)},
		reflect.TypeFor[verdict.Action](): {"", string(verdict.Inbox), string(verdict.Tag), string(verdict.Junk), string(verdict.Greylist), string(verdict.Reject)},
	}
}
