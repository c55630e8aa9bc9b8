import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { ChatGateway } from './chat.gateway.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  providers: [ChatGateway],
})
export class AppModule {}
