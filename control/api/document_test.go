package api_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"go.uber.org/goleak"

	"weir/control/api"
	"weir/control/api/apitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func document(t testing.TB) *openapi3.T {
	t.Helper()
	data, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentIsValid(t *testing.T) {
	doc := document(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Summary == "" || op.OperationID == "" {
				t.Errorf("%s %s has no summary or no ID", method, path)
			}
			for _, code := range []string{"200", "400", "405", "500"} {
				if op.Responses.Value(code) == nil {
					t.Errorf("%s %s does not describe %s", method, path, code)
				}
			}
		}
	}
}

func TestRoutesArePaths(t *testing.T) {
	described := map[string][]string{}
	for path, item := range document(t).Paths.Map() {
		for method, op := range item.Operations() {
			params := []string(nil)
			for _, p := range op.Parameters {
				if p.Value.In == "query" {
					params = append(params, p.Value.Name)
				}
			}
			slices.Sort(params)
			described[method+" "+path] = params
		}
	}
	got := api.NewServer(&apitest.Backend{}, quiet()).Routes()
	if !reflect.DeepEqual(got, described) {
		t.Errorf("routes\n%v\ndocument\n%v", got, described)
	}
}

// questions is every route with every value that its parameters may have.
func questions() []string {
	out := []string{
		"GET /api/v1/status", "GET /api/v1/pipeline", "GET /api/v1/networks", "GET /api/v1/cores",
		"GET /api/v1/hosts", "GET /api/v1/hosts?family=4&limit=1&filter=dns&sort=fps",
		"GET /api/v1/hosts?limit=10000", "GET /api/v1/hosts?filter=",
		"GET /api/v1/exporters", "GET /api/v1/exporters?limit=1", "GET /api/v1/exporters?filter=",
		"GET /api/v1/exporters?filter=192.0.2.0/24", "GET /api/v1/exporters?filter=192.0.2.9",
		"GET /api/v1/hosts/203.0.113.7", "GET /api/v1/hosts/203.0.113.9",
		"GET /api/v1/hosts/2001:db8::25", "GET /api/v1/hosts/192.0.2.1",
		"GET /api/v1/attacks", "GET /api/v1/attacks/" + apitest.ActiveID,
		"GET /api/v1/attacks/" + apitest.OverID,
		"GET /api/v1/attacks/ffffffffffffffff", "GET /api/v1/attacks/ffffffffffffffff/report",
		"GET /api/v1/attacks/" + apitest.ActiveID + "/report",
		"POST /api/v1/reload", "GET /api/v1/openapi.json", "GET /livez", "GET /readyz",
		"GET /api/v1/routes",
		`POST /api/v1/ban {"address":"203.0.113.7","reason":"ticket 4711","ttl":"30m"}`,
		`POST /api/v1/ban {"address":"192.0.2.1","reason":"is refused","ttl":"8760h"}`,
		`POST /api/v1/unban {"address":"203.0.113.7","reason":"é"}`,
		`POST /api/v1/unban {"address":"192.0.2.1","reason":"has no route"}`,
		`POST /api/v1/freeze {"on":true}`, `POST /api/v1/freeze {"on":false}`,
		`POST /api/v1/withdraw-all {"expect":-1}`, `POST /api/v1/withdraw-all {"expect":7}`,
	}
	for query, values := range map[string]string{
		"hosts?sort=": "pps bps fps percent", "hosts?direction=": "both incoming outgoing",
		"hosts?family=": "0 4 6", "attacks?state=": "all active over",
	} {
		for value := range strings.FieldsSeq(values) {
			out = append(out, "GET /api/v1/"+query+value)
		}
	}
	return append(out, "POST /api/v1/reload?dry_run=true", "POST /api/v1/reload?dry_run=false")
}

// request makes a request of a method, a target and perhaps a body.
func request(question string) *http.Request {
	method, rest, _ := strings.Cut(question, " ")
	target, body, _ := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func ask(h http.Handler, question string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(question))
	return w
}

func TestAnswersFitTheDocument(t *testing.T) {
	router, err := gorillamux.NewRouter(document(t))
	if err != nil {
		t.Fatal(err)
	}
	well := apitest.Sample()
	well.Data.Status.Healthy = true
	for name, b := range map[string]*apitest.Backend{
		"sample": apitest.Sample(), "well": well, "empty": {},
	} {
		s := api.NewServer(b, quiet())
		for _, question := range questions() {
			w := ask(s, question)
			known := w.Code == http.StatusOK ||
				w.Code == http.StatusNotFound && strings.Contains(question, "/attacks/") ||
				w.Code == http.StatusNotFound && strings.Contains(question, "/unban") ||
				w.Code == http.StatusConflict && strings.Contains(question, `"expect":7`) ||
				w.Code == http.StatusServiceUnavailable && strings.Contains(question, "readyz")
			if !known {
				t.Errorf("%s: %s: status %d: %s", name, question, w.Code, w.Body)
			}
			asked, err := fits(t, router, question, w)
			if asked != nil || err != nil {
				t.Errorf("%s: %s: %v, %v", name, question, asked, err)
			}
		}
	}
}

// fits holds a question and its answer to the document.
func fits(
	t *testing.T, router routers.Router, question string, w *httptest.ResponseRecorder,
) (asked, answered error) {
	t.Helper()
	r := request(question)
	route, params, err := router.FindRoute(r)
	if err != nil {
		return err, nil
	}
	in := &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: params}
	asked = openapi3filter.ValidateRequest(t.Context(), in)
	answered = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in,
		Status:                 w.Code, Header: w.Header(),
		Body:    io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	return asked, answered
}

func TestSchemasAreTheTypes(t *testing.T) {
	types := api.Bodies()
	for _, v := range []any{
		api.Status{}, api.ConfigStatus{}, api.MemoryStatus{}, api.LoopStatus{}, api.Traffic{},
		api.Moment{}, api.Rates{}, api.Source{}, api.Core{}, api.CoreList{}, api.Pipeline{},
		api.Exporter{}, api.ExporterList{}, api.ExporterInterface{}, api.ExporterDirection{},
		api.Stage{}, api.Loss{}, api.Finding{}, api.Host{}, api.HostList{}, api.Network{},
		api.NetworkList{}, api.Why{}, api.Limit{}, api.Decision{}, api.Attack{}, api.Vector{},
		api.Trigger{}, api.Action{}, api.AttackList{}, api.ReloadResult{}, api.Change{},
		api.FileChange{},
		api.Mitigation{}, api.Peer{}, api.Speaker{}, api.Journal{}, api.Script{}, api.ExaBGP{},
		api.Route{}, api.RouteList{}, api.Outcome{}, api.Problem{}, api.Granted{}, api.Places{},
		api.Queue{},
	} {
		types[reflect.TypeOf(v).Name()] = reflect.TypeOf(v)
	}
	schemas := document(t).Components.Schemas
	for name := range schemas {
		if types[name] == nil {
			t.Errorf("schema %s is no type", name)
		}
	}
	for name, typ := range types {
		if schemas[name] == nil {
			t.Errorf("type %s has no schema", name)
			continue
		}
		sameFields(t, name, typ, schemas[name].Value)
	}
}

func sameFields(t *testing.T, name string, typ reflect.Type, s *openapi3.Schema) {
	t.Helper()
	if open := s.AdditionalProperties.Has; open == nil || *open || s.Description == "" {
		t.Errorf("%s is open, or has no description", name)
	}
	fields, required := map[string]bool{}, []string{}
	for i := range typ.NumField() {
		field, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		fields[field] = true
		if options == "" {
			required = append(required, field)
		}
		p := s.Properties[field]
		if p == nil {
			t.Errorf("%s has no property %s", name, field)
			continue
		}
		if p.Value.Description == "" {
			t.Errorf("%s.%s has no description", name, field)
		}
		if got, want := schemaKind(p), kind(typ.Field(i).Type); got != want {
			t.Errorf("%s.%s is %s, the field %s", name, field, got, want)
		}
	}
	for field := range s.Properties {
		if !fields[field] {
			t.Errorf("%s.%s is no field", name, field)
		}
	}
	slices.Sort(required)
	if got := slices.Sorted(slices.Values(s.Required)); !slices.Equal(got, required) {
		t.Errorf("%s requires %v, the type %v", name, got, required)
	}
}

// schemaKind and kind name the type of a property and of a field alike.
func schemaKind(p *openapi3.SchemaRef) string {
	switch v := p.Value; {
	case p.Ref != "":
		return p.Ref[strings.LastIndex(p.Ref, "/")+1:]
	case len(v.AllOf) == 1:
		return schemaKind(v.AllOf[0])
	case v.Type.Is("array"):
		return "[]" + schemaKind(v.Items)
	case v.Format != "":
		return v.Format
	default:
		return v.Type.Slice()[0]
	}
}

func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kind(t.Elem())
	case reflect.Slice:
		return "[]" + kind(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return "date-time"
		}
		return t.Name()
	case reflect.Map:
		return "object"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Float64:
		return "number"
	}
	return "integer"
}
