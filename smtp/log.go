package smtp

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"postern/internal/reply"
)

// refusal is the reply for a backend's error. A cause that the client must not see goes into the log.
func (c *connection) refusal(stage string, e *Envelope, err error) *reply.Error {
	r := reply.From(err)
	if cause := errors.Unwrap(r); cause != nil {
		level := slog.LevelInfo
		if r.Temporary() {
			level = slog.LevelError
		}
		c.server.Log.LogAttrs(c.ctx, level, "smtp refusal", slog.String("session", c.session.ID),
			slog.String("message", e.ID), slog.String("stage", stage), slog.Int("code", r.Code), slog.Any("cause", cause))
	}
	return r
}

// refused notes a connection that was turned away before it could say anything.
func (c *connection) refused(reason string, err error) {
	c.end = reason
	if c.server.Metrics != nil {
		c.server.Metrics.ConnectionRefused(c.server.Role, reason)
	}
	c.server.Log.LogAttrs(c.ctx, slog.LevelInfo, "smtp connection refused", slog.String("session", c.session.ID),
		slog.String("role", c.server.Role.String()), slog.String("remote", c.session.Remote.String()),
		slog.String("reason", reason), slog.Any("error", err))
}

// logMessage notes a message that was read to its end, with the reply it got.
func (c *connection) logMessage(t *transaction, code int, text string) {
	took := c.server.Clock.Now().Sub(t.Started)
	if c.server.Metrics != nil {
		c.server.Metrics.Message(c.server.Role, code, t.intake.size, took)
	}
	if !c.server.Log.Enabled(c.ctx, slog.LevelInfo) {
		return
	}
	c.server.Log.LogAttrs(c.ctx, slog.LevelInfo, "smtp message", slog.String("session", c.session.ID),
		slog.String("message", t.ID), slog.String("from", t.From.String()), slog.Int("recipients", len(t.Recipients)),
		slog.Int64("size", t.intake.size), slog.Int("code", code), slog.String("reply", text), slog.Duration("took", took))
}

// logEnd notes the end of a session.
func (c *connection) logEnd() {
	c.elapsed = c.server.Clock.Now().Sub(c.session.Started)
	if c.server.Metrics != nil {
		c.server.Metrics.SessionClosed(c.server.Role, c.elapsed)
	}
	if !c.server.Log.Enabled(c.ctx, slog.LevelInfo) {
		return
	}
	version, login := "", ""
	if c.session.TLS != nil {
		version = tls.VersionName(c.session.TLS.Version)
	}
	if c.session.Identity != nil {
		login = c.session.Identity.Login
	}
	c.server.Log.LogAttrs(c.ctx, slog.LevelInfo, "smtp session", slog.String("session", c.session.ID),
		slog.String("role", c.server.Role.String()), slog.String("remote", c.session.Remote.String()),
		slog.String("helo", c.session.Helo), slog.String("tls", version), slog.String("login", login),
		slog.Int("messages", c.accepted), slog.Int("commands", c.session.Commands), slog.Int("errors", c.errors),
		slog.String("end", c.end), slog.Duration("took", c.elapsed.Round(time.Millisecond)))
}
