package standin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// provider answers terraform from a schema. What terraform asks beyond that is not implemented:
// the embedded interface is nil, and such a call ends the provider.
type provider struct {
	tfprotov6.ProviderServer
	schema *Schema
	cloud  cloud
}

// GetMetadata implements tfprotov6.ProviderServer.
func (p *provider) GetMetadata(
	context.Context, *tfprotov6.GetMetadataRequest,
) (*tfprotov6.GetMetadataResponse, error) {
	response := &tfprotov6.GetMetadataResponse{}
	for name := range p.schema.Resources {
		response.Resources = append(response.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range p.schema.Data {
		response.DataSources = append(response.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return response, nil
}

// GetProviderSchema implements tfprotov6.ProviderServer.
func (p *provider) GetProviderSchema(
	context.Context, *tfprotov6.GetProviderSchemaRequest,
) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		Provider:          p.schema.Provider.schema(),
		ResourceSchemas:   schemas(p.schema.Resources),
		DataSourceSchemas: schemas(p.schema.Data),
	}, nil
}

// GetResourceIdentitySchemas implements tfprotov6.ProviderServer; Terraform asks from 1.12 on.
func (p *provider) GetResourceIdentitySchemas(
	context.Context, *tfprotov6.GetResourceIdentitySchemasRequest,
) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

// ValidateProviderConfig implements tfprotov6.ProviderServer.
func (p *provider) ValidateProviderConfig(
	_ context.Context, r *tfprotov6.ValidateProviderConfigRequest,
) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: r.Config}, nil
}

// ConfigureProvider implements tfprotov6.ProviderServer.
func (p *provider) ConfigureProvider(
	context.Context, *tfprotov6.ConfigureProviderRequest,
) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

// StopProvider implements tfprotov6.ProviderServer.
func (p *provider) StopProvider(
	context.Context, *tfprotov6.StopProviderRequest,
) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

// ValidateResourceConfig implements tfprotov6.ProviderServer. Terraform checks the schema itself,
// but leaves it to a provider to refuse what only the provider sets.
func (p *provider) ValidateResourceConfig(
	_ context.Context, r *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	faults, err := p.schema.Resources[r.TypeName].readOnly(r.Config)
	return &tfprotov6.ValidateResourceConfigResponse{Diagnostics: faults}, err
}

// ValidateDataResourceConfig implements tfprotov6.ProviderServer.
func (p *provider) ValidateDataResourceConfig(
	_ context.Context, r *tfprotov6.ValidateDataResourceConfigRequest,
) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	faults, err := p.schema.Data[r.TypeName].readOnly(r.Config)
	return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: faults}, err
}

// UpgradeResourceState implements tfprotov6.ProviderServer.
func (p *provider) UpgradeResourceState(
	_ context.Context, r *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind := p.schema.Resources[r.TypeName].schema().ValueType()
	state, err := r.RawState.Unmarshal(kind)
	if err != nil {
		return nil, fmt.Errorf("reading the state of %s: %w", r.TypeName, err)
	}
	upgraded, err := encode(kind, state)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: upgraded}, err
}

// ReadResource implements tfprotov6.ProviderServer: nothing changes behind terraform's back.
func (p *provider) ReadResource(
	_ context.Context, r *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	return &tfprotov6.ReadResourceResponse{NewState: r.CurrentState, Private: r.Private}, nil
}

// PlanResourceChange implements tfprotov6.ProviderServer: what a new resource's configuration
// leaves open is known after apply. Which changes need a new resource the schema does not tell.
func (p *provider) PlanResourceChange(
	_ context.Context, r *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	planned := r.ProposedNewState
	isNew, err := r.PriorState.IsNull()
	if err != nil {
		return nil, err
	}
	deleted, err := planned.IsNull()
	if err != nil {
		return nil, err
	}
	if isNew && !deleted {
		kind := p.schema.Resources[r.TypeName].schema().ValueType()
		planned, err = transform(kind, planned, func(_ *tftypes.AttributePath, v tftypes.Value) tftypes.Value {
			return tftypes.NewValue(v.Type(), tftypes.UnknownValue)
		})
	}
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: planned}, err
}

// ApplyResourceChange implements tfprotov6.ProviderServer.
func (p *provider) ApplyResourceChange(
	_ context.Context, r *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	block := p.schema.Resources[r.TypeName]
	kind := block.schema().ValueType()
	before, err := nameOf(kind, r.PriorState)
	if err != nil {
		return nil, err
	}
	name, err := nameOf(kind, r.PlannedState)
	if err != nil {
		return nil, err
	}
	isNew, err := r.PriorState.IsNull()
	if err != nil {
		return nil, err
	}
	if isNew && p.cloud.taken(r.TypeName, name) {
		return &tfprotov6.ApplyResourceChangeResponse{
			NewState: r.PriorState, Diagnostics: refusal(r.TypeName, name),
		}, nil
	}
	state, err := p.invent(block, r.TypeName, r.PlannedState)
	if err != nil {
		return nil, err
	}
	if name == "" {
		err = p.cloud.forget(r.TypeName, before)
	} else {
		err = p.cloud.keep(r.TypeName, name, state)
	}
	return &tfprotov6.ApplyResourceChangeResponse{NewState: state}, err
}

// ImportResourceState implements tfprotov6.ProviderServer: it gives what the cloud remembers.
func (p *provider) ImportResourceState(
	_ context.Context, r *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	state, err := os.ReadFile(p.cloud.file(r.TypeName, r.ID))
	if err != nil {
		return nil, fmt.Errorf("importing %s: %w", r.TypeName, err)
	}
	return &tfprotov6.ImportResourceStateResponse{ImportedResources: []*tfprotov6.ImportedResource{{
		TypeName: r.TypeName, State: &tfprotov6.DynamicValue{MsgPack: state},
	}}}, nil
}

// ReadDataSource implements tfprotov6.ProviderServer.
func (p *provider) ReadDataSource(
	_ context.Context, r *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	state, err := p.invent(p.schema.Data[r.TypeName], r.TypeName, r.Config)
	return &tfprotov6.ReadDataSourceResponse{State: state}, err
}

// invent fills in what the cloud would: recognizable values that depend on the configuration only.
func (p *provider) invent(
	block Block, typeName string, config *tfprotov6.DynamicValue,
) (*tfprotov6.DynamicValue, error) {
	if null, err := config.IsNull(); err != nil || null {
		return config, err
	}
	sum := sha256.Sum256(append([]byte(typeName), config.MsgPack...))
	name := hex.EncodeToString(sum[:4])
	return transform(block.schema().ValueType(), config,
		func(path *tftypes.AttributePath, v tftypes.Value) tftypes.Value {
			return invented(path, v.Type(), typeName, name)
		})
}

func invented(path *tftypes.AttributePath, kind tftypes.Type, typeName, name string) tftypes.Value {
	attribute := fmt.Sprint(path.LastStep())
	if last, ok := path.LastStep().(tftypes.AttributeName); ok {
		attribute = string(last)
	}
	text := attribute + "-" + name
	switch {
	case strings.HasSuffix(attribute, "arn"):
		text = "arn:aws:standin:::" + typeName + "/" + name
	case strings.HasSuffix(attribute, "_ip"):
		text = "192.0.2.1" // an address of RFC 5737, for documentation
	}
	element := func(inner tftypes.Type) []tftypes.Value {
		if !inner.Is(tftypes.String) {
			return nil
		}
		return []tftypes.Value{tftypes.NewValue(inner, text)}
	}
	switch kind := kind.(type) {
	case tftypes.List:
		return tftypes.NewValue(kind, element(kind.ElementType))
	case tftypes.Set:
		return tftypes.NewValue(kind, element(kind.ElementType))
	case tftypes.Map:
		return tftypes.NewValue(kind, map[string]tftypes.Value{})
	}
	switch {
	case kind.Is(tftypes.String):
		return tftypes.NewValue(kind, text)
	case kind.Is(tftypes.Number):
		return tftypes.NewValue(kind, big.NewFloat(0))
	case kind.Is(tftypes.Bool):
		return tftypes.NewValue(kind, false)
	}
	return tftypes.NewValue(kind, nil)
}

// transform replaces each attribute that is null or unknown.
func transform(
	kind tftypes.Type, encoded *tfprotov6.DynamicValue,
	replace func(*tftypes.AttributePath, tftypes.Value) tftypes.Value,
) (*tfprotov6.DynamicValue, error) {
	value, err := encoded.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	value, err = tftypes.Transform(value,
		func(path *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
			open := v.IsNull() || !v.IsKnown()
			// A block such as timeouts stays away, and what has any type stays null.
			if !open || v.Type().Is(tftypes.Object{}) || v.Type().Is(tftypes.DynamicPseudoType) {
				return v, nil
			}
			return replace(path, v), nil
		})
	if err != nil {
		return nil, err
	}
	return encode(kind, value)
}

func encode(kind tftypes.Type, value tftypes.Value) (*tfprotov6.DynamicValue, error) {
	encoded, err := tfprotov6.NewDynamicValue(kind, value)
	return &encoded, err
}
