package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
)

// Learning is what administration needs of what the accounts taught about spam. Account 0 is everyone.
type Learning interface {
	// Learn teaches an account a message; learnt is false if it was taught so already.
	Learn(ctx context.Context, account int64, spam bool, message io.Reader) (learnt bool, err error)
	// Forget drops what an account taught; withdrawn tells that this holds for what it shared with everyone too.
	Forget(ctx context.Context, account int64) (withdrawn bool, err error)
	// Learned is how many messages an account taught, and how many words and other features they had.
	Learned(account int64) (spam, ham, tokens int64)
}

// Everyone stands in the place of an address for what the whole server has learnt.
const Everyone = "everyone"

// maxMessage bounds a message that is taught.
const maxMessage = 64 << 20

// Learned is how much somebody taught.
type Learned struct {
	For    string `json:"for" doc:"A user's address, or everyone."`
	Spam   int64  `json:"spam" doc:"Messages that were learnt as spam."`
	Ham    int64  `json:"ham" doc:"Messages that were learnt as wanted."`
	Tokens int64  `json:"tokens" doc:"Different words and other features that are remembered."`
}

// Lesson is what came of teaching a message.
type Lesson struct {
	Learnt bool `json:"learnt" doc:"False if the message was learnt so already."`
}

// Forgotten is what came of forgetting.
type Forgotten struct {
	Withdrawn bool `json:"withdrawn" doc:"What was shared with everyone is taken out there too."`
}

func learningRoutes() []route {
	return []route{
		out("GET", "/v1/spam/learned/{for}", "getLearned", "How much a user, or everyone, taught about spam.", (*Backend).getLearned),
		out("DELETE", "/v1/spam/learned/{for}", "forgetLearned", "Drop what a user, or everyone, taught.", (*Backend).forgetLearned),
		{method: "POST", path: "/v1/spam/learned/{for}/{class}", id: "learn", summary: "Teach a message as spam or as ham, for a user or for everyone.",
			status: http.StatusOK, body: "message/rfc822", out: reflect.TypeFor[Lesson](),
			handler: func(b *Backend) http.Handler { return http.HandlerFunc(b.learn) }},
	}
}

// pupil finds whose model is meant.
func (b *Backend) pupil(s string) (account int64, name string, err error) {
	if s == Everyone {
		return 0, Everyone, nil
	}
	user, err := b.user(s)
	return user.ID, user.Address.String(), err
}

func (b *Backend) getLearned(r request) (Learned, error) {
	account, name, err := b.pupil(r.path("for"))
	if err != nil {
		return Learned{}, err
	}
	spam, ham, tokens := b.Learning.Learned(account)
	return Learned{name, spam, ham, tokens}, nil
}

func (b *Backend) forgetLearned(r request) (Forgotten, error) {
	account, _, err := b.pupil(r.path("for"))
	if err != nil {
		return Forgotten{}, err
	}
	withdrawn, err := b.Learning.Forget(r, account)
	return Forgotten{withdrawn}, err
}

// learn takes a message as it is. Unlike other changes it is not logged one by one.
func (b *Backend) learn(w http.ResponseWriter, req *http.Request) {
	learnt, err := b.learnFrom(request{req.Context(), req}, http.MaxBytesReader(w, req.Body, maxMessage))
	if err != nil {
		b.refuse(w, req, err)
		return
	}
	answer(w, http.StatusOK, Lesson{learnt})
}

func (b *Backend) learnFrom(r request, body io.Reader) (bool, error) {
	account, _, err := b.pupil(r.path("for"))
	if err != nil {
		return false, err
	}
	class := r.path("class")
	if class != "spam" && class != "ham" {
		return false, invalid("teach spam or ham", "%q is no class of mail", class)
	}
	learnt, err := b.Learning.Learn(r, account, class == "spam", body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return false, invalid("leave it out", "the message is larger than %d bytes", large.Limit)
	}
	return learnt, err
}

// Learned tells how much a user, or [Everyone], taught.
func (c *Client) Learned(ctx context.Context, who string) (Learned, error) {
	return call[Learned](ctx, c, "GET", nil, "/v1/spam/learned/%s", who)
}

// ForgetLearned drops what a user, or [Everyone], taught.
func (c *Client) ForgetLearned(ctx context.Context, who string) (Forgotten, error) {
	return call[Forgotten](ctx, c, "DELETE", nil, "/v1/spam/learned/%s", who)
}

// Learn teaches a message for a user or [Everyone]; class is "spam" or "ham".
func (c *Client) Learn(ctx context.Context, who, class string, message io.Reader) (Lesson, error) {
	at := fmt.Sprintf("http://postern/v1/spam/learned/%s/%s", url.PathEscape(who), url.PathEscape(class))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, message)
	if err != nil {
		return Lesson{}, err
	}
	req.Header.Set("Content-Type", "message/rfc822")
	resp, err := c.deliver(req)
	if err != nil {
		return Lesson{}, err
	}
	defer resp.Body.Close()
	var lesson Lesson
	return lesson, understand(resp.Body, &lesson)
}
