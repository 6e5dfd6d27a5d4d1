package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"postern/internal/verdict"
)

// object is a JSON object of the document.
type object map[string]any

var pathParameter = regexp.MustCompile(`\{([a-z]+)\}`)

// Document is the OpenAPI 3.1 description of the API, made from the table that serves it.
func Document() ([]byte, error) {
	schemas := schemaSet{schemas: object{}, enums: enums()}
	schemas.of(reflect.TypeFor[Error]())
	paths := object{}
	for _, r := range routes() {
		at, _ := paths[r.path].(object)
		if at == nil {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = operation(r, &schemas)
	}
	document := object{
		"openapi": "3.1.0",
		"info": object{"title": "Postern administration", "version": "1",
			"description": "HTTP and JSON on the Unix socket admin.sock in the data directory. Root and the server's own user may connect; the kernel says who does.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"servers":    []object{{"url": "http://postern", "description": "The socket: curl --unix-socket DATA/admin.sock http://postern/v1/server"}},
		"paths":      paths,
		"components": object{"schemas": schemas.schemas},
	}
	return json.MarshalIndent(document, "", "  ")
}

func operation(r route, schemas *schemaSet) object {
	kind := "application/json"
	if r.streams {
		kind = "application/x-ndjson"
	}
	op := object{
		"operationId": r.id, "summary": r.summary,
		"responses": object{
			strconv.Itoa(r.status): object{"description": "Done.", "content": object{kind: object{"schema": schemas.of(r.out)}}},
			"default": object{"description": "Refused.",
				"content": object{"application/json": object{"schema": schemas.of(reflect.TypeFor[Error]())}}},
		},
	}
	if r.in != nil {
		schemas.of(r.in)
		if schema, ok := schemas.schemas[r.in.Name()].(object); ok {
			schema["additionalProperties"] = false // requests are read strictly; answers may grow
		}
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schemas.of(r.in)}}}
	}
	if r.body != "" {
		op["requestBody"] = object{"required": true, "content": object{r.body: object{"schema": object{"type": "string", "format": "binary"}}}}
	}
	var parameters []object
	for _, m := range pathParameter.FindAllStringSubmatch(r.path, -1) {
		parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	return op
}

// schemaSet collects the schemas of named types.
type schemaSet struct {
	schemas object
	enums   map[reflect.Type][]string
}

// of gives the schema of a type, a reference where it has a name.
func (s *schemaSet) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[verdict.Points]():
		return object{"type": "number", "description": "Points, in hundredths."}
	case s.enums[t] != nil:
		return object{"type": "string", "enum": s.enums[t]}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int64, reflect.Uint32:
		return object{"type": "integer", "format": "int64"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object"}
	case reflect.Struct:
		name := t.Name()
		if strings.HasSuffix(t.PkgPath(), "/verdict") {
			name = "Verdict" + name // its Check is not the administration's
		}
		if _, known := s.schemas[name]; !known {
			s.schemas[name] = nil // a type may hold itself
			s.schemas[name] = s.structure(t)
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	panic(fmt.Sprintf("the API has a field of type %s, which the document cannot describe", t))
}

func (s *schemaSet) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	var add func(reflect.Type)
	add = func(t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous {
				add(f.Type)
				continue
			}
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.IsExported() || name == "-" {
				continue
			}
			schema := s.of(f.Type)
			if doc := f.Tag.Get("doc"); doc != "" {
				schema["description"] = doc
			}
			properties[name] = schema
			if !strings.Contains(options, "omit") {
				required = append(required, name)
			}
		}
	}
	add(t)
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

func serveDocument(w http.ResponseWriter, _ *http.Request) {
	document, err := Document()
	if err != nil {
		answer(w, http.StatusInternalServerError, &Error{"internal", err.Error(), ""})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(document)
}
