package admin

import (
	"net/http"
	"reflect"
)

// spamRoutes are those about judgements, and the policies by which they are made.
func spamRoutes() []route {
	return []route{
		in("POST", "/v1/spam/list", "listTraces", "How messages were judged, by a filter, latest first.", http.StatusOK, (*Backend).listTraces),
		out("GET", "/v1/spam/traces/{id}", "getTraces", "The whole judgements of a transaction or a Message-ID, latest first.", (*Backend).getTraces),
		{method: "POST", path: "/v1/spam/replay", id: "replayTraces", summary: "Decide anew from what is stored, by the policy of then or another; progress comes in lines.",
			status: http.StatusOK, in: reflect.TypeFor[ReplayRequest](), out: reflect.TypeFor[ReplayEvent](), streams: true,
			handler: func(b *Backend) http.Handler { return http.HandlerFunc(b.replay) }},

		out("GET", "/v1/spam/policies", "listSpamPolicies", "The thresholds of the server, and of domains and users that have their own.", (*Backend).listSpamPolicies),
		out("GET", "/v1/spam/policies/{scope}", "getSpamPolicy", "A scope's thresholds.", (*Backend).getSpamPolicy),
		in("PATCH", "/v1/spam/policies/{scope}", "setSpamPolicy", "Change a scope's thresholds.", http.StatusOK, (*Backend).setSpamPolicy),
		out("DELETE", "/v1/spam/policies/{scope}", "resetSpamPolicy", "Give a scope those of the next wider one again.", (*Backend).resetSpamPolicy),

		in("POST", "/v1/spam/senders/list", "listSenders", "The senders that are allowed or blocked.", http.StatusOK, (*Backend).listSenders),
		in("POST", "/v1/spam/senders", "addSender", "Allow or block a sender.", http.StatusCreated, (*Backend).addSender),
		in("POST", "/v1/spam/senders/remove", "removeSender", "Take a sender out of a list.", http.StatusOK, (*Backend).removeSender),
	}
}
